"""Opens a file, decompressing gzip, and yields its lines with the offset at which each ends."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import msgspec

MAX_LINE_BYTES = 16 << 20
"""Longer lines are cut off here, so that a file without line ends does not fill the memory."""

GZIP_MAGIC = b"\x1f\x8b"
UTF8_BOM = b"\xef\xbb\xbf"


class BrokenStreamError(Exception):
    """The compressed stream ends early or is damaged; every line before the damage was yielded.

    Operator action: fetch the file again; ingest resumes only if the size of the file stays the same.
    """


class Line(msgspec.Struct, gc=False):
    """One line without its line end."""

    raw: bytes
    end: int
    """Byte offset after the line end, counted after decompression."""
    cut: bool = False
    """Whether the line is longer than :data:`MAX_LINE_BYTES`, so that ``raw`` holds only its start."""


class Opened:
    """An open file. ``stream`` yields decompressed bytes."""

    def __init__(self, path: Path) -> None:
        self._stored: IO[bytes] = path.open("rb")
        packed = self._stored.read(2) == GZIP_MAGIC
        self._stored.seek(0)
        self.stream = cast("IO[bytes]", gzip.GzipFile(fileobj=self._stored)) if packed else self._stored
        self.size_bytes = path.stat().st_size

    @property
    def read_bytes(self) -> int:
        """Returns the number of stored bytes read so far."""
        return self.size_bytes if self._stored.closed else self._stored.tell()

    def close(self) -> None:
        """Closes the file."""
        self.stream.close()
        self._stored.close()


class FileSource:
    """The progress of a source that reads one opened file."""

    def __init__(self, path: Path) -> None:
        self._opened = Opened(path)

    @property
    def size_bytes(self) -> int:
        """Returns the stored size of the file."""
        return self._opened.size_bytes

    @property
    def read_bytes(self) -> int:
        """Returns the number of stored bytes read so far."""
        return self._opened.read_bytes


def lines(stream: IO[bytes], offset: int) -> Iterator[Line]:
    """Yields the lines from ``offset`` on, which must be 0 or the ``end`` of a line. Drops a byte order mark.

    Raises:
        BrokenStreamError: Decompression fails after the lines yielded so far.
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
    """Reads to the end of the line in bounded memory. Returns the number of bytes read."""
    skipped = 0
    while rest := stream.readline(MAX_LINE_BYTES):
        skipped += len(rest)
        if rest.endswith(b"\n"):
            break
    return skipped
