"""A file's bytes, unpacked when they are gzip, and its lines with the place each one ends."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import msgspec

MAX_LINE_BYTES = 16 << 20
"""A longer line is yielded cut off here: a file without line ends must not become one huge string."""

GZIP_MAGIC = b"\x1f\x8b"
UTF8_BOM = b"\xef\xbb\xbf"


class BrokenStreamError(Exception):
    """The compressed stream ends early or is damaged; what was before it has been yielded.

    Operator action: fetch the file again; ingest goes on where it stopped only if its size stays the same.
    """


class Line(msgspec.Struct, gc=False):
    """One line without its line end."""

    raw: bytes
    end: int
    """Byte offset after the line end, counted after decompression."""
    cut: bool = False
    """Whether the line was longer than :data:`MAX_LINE_BYTES` and only its start is in ``raw``."""


class Opened:
    """An open file: ``stream`` gives unpacked bytes, ``read_bytes`` says how much of the stored file that took."""

    def __init__(self, path: Path) -> None:
        self._stored: IO[bytes] = path.open("rb")
        packed = self._stored.read(2) == GZIP_MAGIC
        self._stored.seek(0)
        self.stream = cast("IO[bytes]", gzip.GzipFile(fileobj=self._stored)) if packed else self._stored
        self.size_bytes = path.stat().st_size

    @property
    def read_bytes(self) -> int:
        """Bytes of the stored file read so far."""
        return self.size_bytes if self._stored.closed else self._stored.tell()

    def close(self) -> None:
        """Close both layers."""
        self.stream.close()
        self._stored.close()


def lines(stream: IO[bytes], offset: int) -> Iterator[Line]:
    """The lines from a byte offset on, which must be 0 or the ``end`` of a line. A leading byte order mark is dropped.

    Raises:
        BrokenStreamError: at the place where unpacking fails.
    """
    try:
        stream.seek(offset)
        if offset == 0 and stream.read(len(UTF8_BOM)) != UTF8_BOM:
            stream.seek(0)
        end = stream.tell()
        while raw := stream.readline(MAX_LINE_BYTES):
            end += len(raw)
            cut = len(raw) == MAX_LINE_BYTES and not raw.endswith(b"\n")
            if cut:
                end += _skip_line(stream)
            yield Line(raw.rstrip(b"\r\n"), end, cut)
    except (EOFError, OSError, zlib.error) as error:
        message = f"the compressed stream is damaged: {error}"
        raise BrokenStreamError(message) from error


def _skip_line(stream: IO[bytes]) -> int:
    """Read to the line's end in bounded memory; how many bytes that was."""
    skipped = 0
    while rest := stream.readline(MAX_LINE_BYTES):
        skipped += len(rest)
        if rest.endswith(b"\n"):
            break
    return skipped
