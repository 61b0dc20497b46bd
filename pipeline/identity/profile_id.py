"""Profile ids any worker can mint with no round trip: uuid5 of the tenant and the founding identifier."""

from functools import lru_cache
from hashlib import sha1

from pipeline.event.identifier import Identifier, key_of

NAMESPACE = bytes.fromhex("7c1f2b0e9d3a5c4e8f6a1b2c3d4e5f60")

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The two bits that name the variant, written into a hexadecimal digit."""


@lru_cache(maxsize=1 << 17)
def profile_id(tenant: str, founder: Identifier) -> str:
    """The name-based UUID (RFC 9562 section 5.5, version 5) of ``tenant/founder``, in its canonical text form.

    Which identifier founds a profile is decided by :mod:`~pipeline.identity.claims`; a leading ``~`` sets a name apart.
    """
    text = sha1(NAMESPACE + key_of(tenant, founder).encode(), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"
