"""Decompresses bodies within a limit.

Compression is recognised by its first bytes, because some SDKs compress without a header and others set a wrong one.
"""

import zlib
from typing import Final

from connectors.collect.request import Refusal, too_large

GZIP: Final = b"\x1f\x8b"
_ANY_WINDOW: Final = 47
"""zlib's window bits for a gzip or a zlib header, whichever is there."""
_ENCODINGS: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})


def decompressed(body: bytes, encoding: str, max_bytes: int) -> bytes | None:
    """Returns the body without compression; None if it is compressed and damaged.

    Raises:
        Refusal: 413, it has more than ``max_bytes`` or more come out. 415, the encoding is not gzip or deflate.
    """
    if len(body) > max_bytes:
        raise too_large(max_bytes)
    if encoding and (encoding := encoding.strip().lower()) not in _ENCODINGS:
        raise Refusal(415, "content-encoding: must be gzip or deflate")
    if not body.startswith(GZIP) and encoding != "deflate":
        return body
    parts: list[bytes] = []
    room = max_bytes
    try:
        while body:
            inflating = zlib.decompressobj(_ANY_WINDOW)
            parts.append(inflating.decompress(body, room + 1))
            room -= len(parts[-1])
            if room < 0:
                raise too_large(max_bytes)
            if not inflating.eof:
                return None
            body = inflating.unused_data
    except zlib.error:
        return None
    return b"".join(parts)
