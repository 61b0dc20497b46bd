"""Verifies an ID token (OpenID Connect Core 1.0, 3.1.3.7), and reads name and role from its claims."""

import hmac
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import jwt

from pipeline.serve.signin.oidc.configuration import OidcConfiguration
from pipeline.serve.signin.oidc.provider import Provider
from pipeline.serve.signin.roles import Role

ALGORITHMS: Final = frozenset({
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
})  # fmt: skip
"""Signatures by a key pair. Neither ``none`` nor HS256, whose key would be the client secret or a public key."""
LEEWAY_SECONDS: Final = 60
"""By how much the clocks of provider and server may differ."""
REQUIRED: Final = ["iss", "sub", "aud", "exp", "iat", "nonce"]
MAX_SUBJECT_CHARS: Final = 255
"""As the specification limits it, which allows ASCII only."""


class TokenError(ValueError):
    """The token is not valid for this sign-in. ``str(error)`` is a reason for the log, without personal data."""


class NoRoleError(ValueError):
    """The person has no value that is mapped to a role."""


class NoNameError(ValueError):
    """The token has no usable name. ``str(error)`` names the claim."""


class Identity(NamedTuple):
    """The person that a verified token is about."""

    issuer: str
    subject: str
    claims: Mapping[str, Any]


def verified(token: str, nonce: str, configuration: OidcConfiguration, provider: Provider) -> Identity:
    """Returns the identity that a token states.

    Raises:
        TokenError: signature, algorithm, issuer, audience, times or nonce are wrong, or a claim is missing.
        ProviderError: the signing keys cannot be fetched.
    """
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        message = "not_a_token"
        raise TokenError(message) from error
    algorithm, key_id = header.get("alg", ""), header.get("kid", "")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        message = "algorithm"
        raise TokenError(message)
    key = provider.key(key_id, algorithm)
    if key is None:
        message = "unknown_key"
        raise TokenError(message)
    try:
        claims = jwt.decode(
            token, key, algorithms=[algorithm], audience=configuration.client_id, issuer=configuration.issuer,
            leeway=LEEWAY_SECONDS, options={"require": REQUIRED},
        )  # fmt: skip
    except jwt.PyJWTError as error:
        raise TokenError(type(error).__name__) from error
    _check_claims(claims, nonce, configuration.client_id)
    return Identity(claims["iss"], claims["sub"], claims)


def role_of(identity: Identity, configuration: OidcConfiguration) -> Role:
    """Returns the role of the first mapped value that the person has.

    Raises:
        NoRoleError: there is none.
    """
    values = _claim(identity.claims, configuration.role_claim)
    held = values if isinstance(values, list) else [values]
    for value, role in configuration.roles:
        if value in held:
            return role
    message = f"no value of the claim {configuration.role_claim} is mapped to a role"
    raise NoRoleError(message)


def name_of(identity: Identity, configuration: OidcConfiguration) -> str:
    """Returns the name under which the person appears.

    Raises:
        NoNameError: the claim is missing, or it is an e-mail address that the provider has not verified.
    """
    name = _claim(identity.claims, configuration.name_claim)
    if configuration.name_claim == "email" and identity.claims.get("email_verified") is False:
        message = "the provider has not verified the claim email"
        raise NoNameError(message)
    if not isinstance(name, str) or not name.strip():
        message = f"the ID token has no claim {configuration.name_claim}"
        raise NoNameError(message)
    return name.strip()


def _check_claims(claims: Mapping[str, Any], nonce: str, client_id: str) -> None:
    sent, subject, party = claims["nonce"], claims["sub"], claims.get("azp")
    if not isinstance(sent, str) or not hmac.compare_digest(sent.encode(errors="replace"), nonce.encode()):
        message = "nonce"
        raise TokenError(message)
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARS or not _is_plain(subject):
        message = "subject"
        raise TokenError(message)
    if party != client_id and (party is not None or claims["aud"] not in (client_id, [client_id])):
        message = "authorized_party"
        raise TokenError(message)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """Returns a claim by its name, which may be a URL, or by a path with dots, as in ``realm_access.roles``."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
