"""Vendors' own libraries sign and check webhooks, and the collector must agree with them.

    python -m tests.witnesses.webhook_signatures [--folder FOLDER]

Installs the libraries into an environment of its own in the folder, once. Each vendor signs a delivery (SendGrid's and
Square's libraries only check), the collector must take it, and both must refuse it with any single bit of its body,
signature or time changed. A replay is one event. Shopify's Python library does not check webhooks.
"""

import argparse
import hmac
import json
import subprocess
import sys
import tempfile
import time
import venv
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connectors.collect.app import Limits
from tests.support.collecting import Door, shop

PACKAGES = (
    "stripe==16.1.0", "standardwebhooks==1.1.0", "svix==2.9.1", "sendgrid==6.12.5", "squareup==46.0.0.20260916",
    "hubspot-api-client==12.0.0",
)  # fmt: skip
HELPERS = Path(__file__).with_name("vendor_helpers.py")
URL = "https://events.shop.example"
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
WHSEC = "whsec_" + b64encode(b"0123456789abcdef01234567").decode()
BODY = {
    "stripe": {"id": "evt_1", "type": "customer.created", "created": 1_790_000_000, "data": {"object": {
        "id": "cus_1", "email": "ann@example.com"}}},
    "hubspot": [{"subscriptionType": "contact.creation", "objectId": 7, "portalId": 1, "eventId": 2}],
    "standardwebhooks": {"type": "lead.created", "data": {"userId": "u1"}},
    "svix": {"type": "lead.created", "data": {"userId": "u1"}},
    "square": {"type": "customer.created", "data": {"object": {"customer": {
        "id": "c1", "email_address": "ann@example.com", "updated_at": "2026-11-30T10:00:00Z"}}}},
    "sendgrid": [{"event": "open", "email": "ann@example.com", "sg_event_id": "e1"}],
}  # fmt: skip


def environment(folder: Path) -> Path:
    """The interpreter that has the vendors' libraries."""
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (folder / "ready").touch()
    return python


def ask(python: Path, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    done = subprocess.run([python, HELPERS], input=json.dumps(cases), capture_output=True, text=True, check=True)
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def own_headers(vendor: str, body: bytes, seconds: int) -> dict[str, str]:
    """For the vendors whose library only checks: signed as their documentation says."""
    if vendor == "sendgrid":
        signature = KEY.sign(str(seconds).encode() + body, ec.ECDSA(SHA256()))
        head = "x-twilio-email-event-webhook-"
        return {f"{head}signature": b64encode(signature).decode(), f"{head}timestamp": str(seconds)}
    digest = hmac.new(b"s3cret", f"{URL}/webhooks/square/shop".encode() + body, sha256).digest()
    return {"x-square-hmacsha256-signature": b64encode(digest).decode()}


def changes(body: bytes, headers: dict[str, str]) -> list[tuple[bytes, dict[str, str]]]:
    """The delivery with each single bit of the body changed, and each of the headers' values that stays a header."""
    result = []
    for bit in range(len(body) * 8):
        changed = bytearray(body)
        changed[bit // 8] ^= 1 << bit % 8
        result.append((bytes(changed), headers))
    for name, value in headers.items():
        for bit in range(len(value) * 8):
            raw = bytearray(value.encode())
            raw[bit // 8] ^= 1 << bit % 8
            if all(0x21 <= byte < 0x7F for byte in raw):
                result.append((body, {**headers, name: raw.decode()}))
    return result


def witness(python: Path, vendor: str) -> None:
    """Compares the vendor's answers with the collector's, and prints the figures."""
    seconds = int(time.time())
    ours = "standard" if vendor in {"standardwebhooks", "svix"} else vendor
    secret = PUBLIC if vendor == "sendgrid" else WHSEC if ours == "standard" else "s3cret"
    body = json.dumps(BODY[vendor]).encode()
    case = {
        "vendor": vendor, "body": body.decode(), "secret": secret, "seconds": seconds,
        "url": f"{URL}/webhooks/{ours}/shop",
    }  # fmt: skip
    headers = ask(python, [case])[0]["headers"] or own_headers(vendor, body, seconds)
    deliveries = [(body, headers), *changes(body, headers)]
    case["deliveries"] = [(b64encode(raw).decode(), sent) for raw, sent in deliveries]
    theirs = ask(python, [case])[0]["accepts"]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "secret").write_text(secret)
        source = shop(webhooks=[{"vendor": ours, "secret_files": ["secret"]}], channel="email")
        door = Door(source, folder=Path(folder), limits=Limits(public_url=URL))
        door.now_ms = seconds * 1000
        taken = [
            door.send("POST", f"/webhooks/{ours}/shop", raw, sent, key=None).status == 200 for raw, sent in deliveries
        ]
        first = door.kept.events[0].message_id
        door.send("POST", f"/webhooks/{ours}/shop", body, headers, key=None)
        replayed = door.kept.events[-1].message_id == first
    assert taken[0], f"{vendor}: the collector refuses what the vendor signed"
    assert theirs[0], f"{vendor}: the vendor refuses its own signature"
    wrong = [deliveries[place] for place, answer in enumerate(taken) if answer and place]
    print(
        f"{vendor:17} signed by its library: taken; {len(deliveries) - 1} single-bit changes: the collector took "
        f"{len(wrong)}, the library {sum(theirs[1:])}; a replay has {'the same' if replayed else 'ANOTHER'} message id"
    )
    for raw, sent in wrong:
        print(
            "   taken:",
            raw[:80] if raw != body else {name: value for name, value in sent.items() if value != headers[name]},
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "stitchline-witnesses")
    python = environment(parser.parse_args().folder)
    for vendor in BODY:
        witness(python, vendor)


if __name__ == "__main__":
    sys.exit(main())
