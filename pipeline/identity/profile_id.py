"""Profile ids: uuid5 of the tenant and the founding identifier, so that every worker computes the same id."""

from functools import lru_cache
from hashlib import sha1

from pipeline.event.identifier import Identifier, key_of

NAMESPACE = bytes.fromhex("7c1f2b0e9d3a5c4e8f6a1b2c3d4e5f60")

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""Hexadecimal digits with the two variant bits of RFC 9562 set."""


@lru_cache(maxsize=1 << 14)
def profile_id(tenant: str, founder: Identifier) -> str:
    """Returns the name-based UUID (RFC 9562 section 5.5, version 5) of ``tenant/founder`` in canonical text form.

    :mod:`~pipeline.identity.claims` determines the founder, which may begin with ``~``.
    """
    text = sha1(NAMESPACE + key_of(tenant, founder).encode(), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"
