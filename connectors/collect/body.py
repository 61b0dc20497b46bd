"""Reads and decompresses bodies within a limit that holds before and after decompression.

Compression is recognised by its first bytes, because some SDKs compress without a header and others set a wrong one.
"""

import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from connectors.collect.request import Refusal

GZIP: Final = b"\x1f\x8b"
_ANY_WINDOW: Final = 47
"""zlib's window bits for a gzip or a zlib header, whichever is there."""
_ENCODINGS: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})


class ClientGoneError(Exception):
    """The client closed the connection before the body was complete."""


async def read_body(
    receive: Callable[[], Awaitable[Mapping[str, Any]]], headers: Mapping[str, str], max_bytes: int
) -> bytes:
    """Returns the body as received.

    Raises:
        Refusal: 413, the body is larger than ``max_bytes``.
        ClientGoneError: the client is gone.
    """
    stated = headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > max_bytes:
        raise too_large(max_bytes)
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGoneError
    body: bytes = message["body"]
    if not message.get("more_body"):
        if len(body) > max_bytes:
            raise too_large(max_bytes)
        return body
    chunks, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGoneError
        size += len(message["body"])
        if size > max_bytes:
            raise too_large(max_bytes)
        chunks.append(message["body"])
    return b"".join(chunks)


def decompressed(body: bytes, encoding: str, max_bytes: int) -> bytes | None:
    """Returns the body without compression; None if it is compressed and damaged.

    Raises:
        Refusal: 413, more than ``max_bytes`` come out. 415, the encoding is not gzip or deflate.
    """
    encoding = encoding.strip().lower()
    if encoding not in _ENCODINGS:
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


def too_large(max_bytes: int) -> Refusal:
    """Returns the refusal of a body above the limit."""
    return Refusal(413, f"the body is larger than {max_bytes} bytes")
