"""Frames of the spool: length, checksum, record. A frame that a crash has cut is recognised and never read.

>>> from connectors.collect.encode import Outgoing
>>> data = frame(Outgoing("t", b"k", b"v"))
>>> [record.value for record, end in read_frames(data + data[:-1])]
[b'v']
"""

import zlib
from collections.abc import Iterator
from typing import Final

import msgspec

from connectors.collect.encode import Outgoing

HEAD_BYTES: Final = 8
MAX_FRAME_BYTES: Final = 64 << 20
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Outgoing).decode


def frame(record: Outgoing) -> bytes:
    """Returns the frame of a record."""
    body = _encode(record)
    return len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big") + body


def read_frames(data: bytes, start: int = 0) -> Iterator[tuple[Outgoing, int]]:
    """Yields the records from ``start`` on, each with the offset behind its frame. Ends at the first broken frame."""
    view = memoryview(data)
    at = start
    while at + HEAD_BYTES <= len(data):
        size = int.from_bytes(view[at : at + 4], "big")
        end = at + HEAD_BYTES + size
        if size > MAX_FRAME_BYTES or end > len(data):
            return
        body = view[at + HEAD_BYTES : end]
        if zlib.crc32(body) != int.from_bytes(view[at + 4 : at + HEAD_BYTES], "big"):
            return
        try:
            record = _decode(body)
        except msgspec.MsgspecError:
            return
        yield record, end
        at = end
