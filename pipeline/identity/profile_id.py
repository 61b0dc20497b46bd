"""Profile ids any worker can mint with no round trip: uuid5 of the tenant and the founding identifier."""

from functools import lru_cache
from hashlib import sha1

from pipeline.event.identifier import Identifier, key_of

NAMESPACE = bytes.fromhex("7c1f2b0e9d3a5c4e8f6a1b2c3d4e5f60")


@lru_cache(maxsize=1 << 17)
def profile_id(tenant: str, founder: Identifier) -> str:
    """The name-based UUID (RFC 9562 section 5.5, version 5) of ``tenant/founder``, in its canonical text form.

    The founder is the identifier with the oldest first_seen in the group, ties by strength of type, then by text.
    """
    digest = bytearray(sha1(NAMESPACE + key_of(tenant, founder).encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
