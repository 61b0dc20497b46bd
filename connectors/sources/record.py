"""The interface of sources, and the records they yield."""

from collections.abc import Iterator
from typing import Any, Protocol, TypeAlias

import msgspec

from pipeline.event.result import Rejected

Payload: TypeAlias = dict[str, Any]
"""An event as Segment-spec JSON with Stitchline's two additions: ``channel`` and ``identifiers``."""


class Position(msgspec.Struct, frozen=True):
    """A place in a file. Everything before it has been yielded.

    Sources of lines resume by ``offset``, containers of records by ``number``; both are always set.
    """

    number: int = 0
    """Lines (NDJSON, CSV) or records (Avro, Parquet, Arrow) yielded so far."""
    offset: int = 0
    """Bytes yielded so far, counted after decompression."""


class Record(msgspec.Struct, gc=False):
    """One record of a file."""

    number: int
    """Line on which the record starts, or its ordinal in a container, from 1."""
    raw: bytes
    """The record's own bytes, without the line end."""
    payload: Payload | Rejected
    after: Position
    """The position after this record."""


class Source(Protocol):
    """A file that yields its records in order, in bounded memory, from any position that it has yielded."""

    @property
    def size_bytes(self) -> int:
        """Returns the stored size of the file in bytes, compressed if the file is."""
        ...

    @property
    def read_bytes(self) -> int:
        """Returns how many of ``size_bytes`` have been read, for a progress bar."""
        ...

    def records(self, start: Position) -> Iterator[Record]:
        """Yields every record after ``start``. Yields damage as a record with a :class:`Rejected`, not as an exception.

        Raises:
            OSError: The file cannot be opened.
        """
        ...
