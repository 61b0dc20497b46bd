"""Proofs of origin: signatures over the raw bytes, compared in constant time, within a window of time.

Each ``proof`` returns "" if one of the secrets proves the request, else why not. It reads no clock.
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, TypeAlias
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from connectors.collect.dialects.parsed import object_of, read_object, text_of
from connectors.collect.request import Request
from pipeline.event.result import Rejected

Secrets: TypeAlias = Sequence[bytes]
Prove: TypeAlias = Callable[[Request, Secrets, str], str]
"""Takes the request, the valid secrets and the public URL of the endpoint."""

WINDOW_MS: Final = 300_000
"""How far a signed time may be from the clock, in both directions."""
MAX_SIGNATURES: Final = 10
NO_SIGNATURE: Final = "the signature is missing"
WRONG_SIGNATURE: Final = "the signature does not fit"
OUTSIDE_WINDOW: Final = "the signed time is too far from the clock"
_MAX_DIGITS: Final = 15


def stripe(request: Request, secrets: Secrets, _url: str) -> str:
    """``Stripe-Signature: t=…,v1=…``: hex HMAC-SHA256 of ``t.body``."""
    return _timed_hex(request, secrets, request.headers.get("stripe-signature", ""))


def bottlecrm(request: Request, secrets: Secrets, _url: str) -> str:
    """``X-BottleCRM-Signature: t=…,v1=…``, as Stripe's."""
    return _timed_hex(request, secrets, request.headers.get("x-bottlecrm-signature", ""))


def shopify(request: Request, secrets: Secrets, _url: str) -> str:
    """``X-Shopify-Hmac-SHA256``: base64 HMAC-SHA256 of the body."""
    return _fits(secrets, request.received, [request.headers.get("x-shopify-hmac-sha256", "")], _base64)


def square(request: Request, secrets: Secrets, url: str) -> str:
    """``x-square-hmacsha256-signature``: base64 HMAC-SHA256 of the public URL and the body."""
    signed = url.encode() + request.received
    return _fits(secrets, signed, [request.headers.get("x-square-hmacsha256-signature", "")], _base64)


def hubspot(request: Request, secrets: Secrets, url: str) -> str:
    """``X-HubSpot-Signature-v3``: base64 HMAC-SHA256 of method, public URL, body and time in ms."""
    timestamp = request.headers.get("x-hubspot-request-timestamp", "")
    if problem := _outside_window(timestamp, request.received_ms, 1):
        return problem
    signed = b"".join((request.method.encode(), _decoded_url(url).encode(), request.received, timestamp.encode()))
    return _fits(secrets, signed, [request.headers.get("x-hubspot-signature-v3", "")], _base64)


def standard(request: Request, secrets: Secrets, _url: str) -> str:
    """Standard Webhooks: ``webhook-signature: v1,…``, base64 HMAC-SHA256 of ``id.time.body``; ``svix-…`` as well."""
    headers = request.headers
    prefix = "webhook" if "webhook-id" in headers else "svix"
    number, timestamp = headers.get(f"{prefix}-id", ""), headers.get(f"{prefix}-timestamp", "")
    if not number:
        return NO_SIGNATURE
    if problem := _outside_window(timestamp, request.received_ms, 1000):
        return problem
    listed = headers.get(f"{prefix}-signature", "").split()[:MAX_SIGNATURES]
    signatures = [signature for version, _, signature in (one.partition(",") for one in listed) if version == "v1"]
    keys = [key for secret in secrets if (key := _standard_key(secret))]
    signed = f"{number}.{timestamp}.".encode("latin-1") + request.received
    return _fits(keys, signed, signatures, _base64)


def sendgrid(request: Request, secrets: Secrets, _url: str) -> str:
    """ECDSA P-256 of time and body; a secret file holds the public key, in base64 as SendGrid shows it, or as PEM."""
    timestamp = request.headers.get("x-twilio-email-event-webhook-timestamp", "")
    if problem := _outside_window(timestamp, request.received_ms, 1000):
        return problem
    try:
        stated = request.headers.get("x-twilio-email-event-webhook-signature", "")
        signature = b64decode(stated, validate=True)
    except (Base64Error, ValueError):
        return NO_SIGNATURE
    if b64encode(signature).decode() != stated:  # the last character has bits that base64 does not use
        return WRONG_SIGNATURE
    signed = timestamp.encode() + request.received
    for secret in secrets:
        key = _public_key(secret)
        try:
            if key is not None:
                key.verify(signature, signed, ECDSA(SHA256()))
                return ""
        except InvalidSignature:
            continue
    return WRONG_SIGNATURE


def meta(request: Request, secrets: Secrets, _url: str) -> str:
    """``X-Hub-Signature-256: sha256=…``: hex HMAC-SHA256 of the body with the app's secret."""
    stated = request.headers.get("x-hub-signature-256", "")
    return _fits(secrets, request.received, [stated], lambda digest: f"sha256={digest.hex()}")


def mailgun(request: Request, secrets: Secrets, _url: str) -> str:
    """``signature`` in the body: hex HMAC-SHA256 of its timestamp and token. It covers nothing else of the body."""
    read = read_object(request.body)
    signature = {} if isinstance(read, Rejected) else object_of(read.get("signature"))
    timestamp = str(signature.get("timestamp", ""))
    if problem := _outside_window(timestamp, request.received_ms, 1000):
        return problem
    signed = (timestamp + text_of(signature.get("token"))).encode(errors="replace")
    return _fits(secrets, signed, [text_of(signature.get("signature"))], _hex)


def google(request: Request, secrets: Secrets, _url: str) -> str:
    """``google_key`` in the body equals the secret. Google signs nothing."""
    read = read_object(request.body)
    return _equals(secrets, "" if isinstance(read, Rejected) else text_of(read.get("google_key")))


def zoho(request: Request, secrets: Secrets, _url: str) -> str:
    """``token`` in the body, which the notification channel was created with, equals the secret."""
    read = read_object(request.body)
    return _equals(secrets, "" if isinstance(read, Rejected) else text_of(read.get("token")))


def _timed_hex(request: Request, secrets: Secrets, header: str) -> str:
    parts = [part.strip().partition("=") for part in header.split(",")[: MAX_SIGNATURES + 1]]
    timestamp = next((value for name, _, value in parts if name == "t"), "")
    if problem := _outside_window(timestamp, request.received_ms, 1000):
        return problem
    signatures = [value for name, _, value in parts if name == "v1"]
    return _fits(secrets, timestamp.encode() + b"." + request.received, signatures, _hex)


def _fits(secrets: Secrets, signed: bytes, signatures: Sequence[str], written: Callable[[bytes], str]) -> str:
    """Compares each signature with that of each secret. Takes the same time whichever fits."""
    if not any(signatures):
        return NO_SIGNATURE
    is_right = False
    for secret in secrets:
        expected = written(hmac.new(secret, signed, sha256).digest()).encode()
        for signature in signatures:
            is_right |= hmac.compare_digest(expected, signature.encode(errors="replace"))
    return "" if is_right else WRONG_SIGNATURE


def _equals(secrets: Secrets, stated: str) -> str:
    if not stated:
        return NO_SIGNATURE
    is_right = False
    for secret in secrets:
        is_right |= hmac.compare_digest(sha256(secret).digest(), sha256(stated.encode(errors="replace")).digest())
    return "" if is_right else WRONG_SIGNATURE


def _outside_window(timestamp: str, now_ms: int, unit_ms: int) -> str:
    """Returns why a signed time is not accepted; "" if it is."""
    if not timestamp:
        return NO_SIGNATURE
    if not (timestamp.isascii() and timestamp.isdecimal()) or len(timestamp) > _MAX_DIGITS:
        return OUTSIDE_WINDOW
    return "" if abs(int(timestamp) * unit_ms - now_ms) <= WINDOW_MS else OUTSIDE_WINDOW


def _standard_key(secret: bytes) -> bytes:
    """Returns the key of ``whsec_…``, which is base64; b"" if it is not."""
    try:
        return b64decode(secret.removeprefix(b"whsec_"), validate=True)
    except Base64Error:
        return b""


def _public_key(secret: bytes) -> EllipticCurvePublicKey | None:
    try:
        key = (
            load_pem_public_key(secret)
            if secret.startswith(b"-----")
            else load_der_public_key(b64decode(secret, validate=True))
        )
    except (Base64Error, ValueError):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) else None


def _decoded_url(url: str) -> str:
    """HubSpot decodes the URL's path before it signs it, but not its query."""
    path, mark, query = url.partition("?")
    return unquote(path) + mark + query


def _hex(digest: bytes) -> str:
    return digest.hex()


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode()
