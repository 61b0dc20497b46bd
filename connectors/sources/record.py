"""What every source yields: one record, where it stood, and its payload or why there is none."""

from collections.abc import Iterator
from typing import Any, Protocol, TypeAlias

import msgspec

from pipeline.event.result import Rejected

Payload: TypeAlias = dict[str, Any]
"""An event as Segment-spec JSON with Stitchline's two additions: ``channel`` and ``identifiers``."""


class Position(msgspec.Struct, frozen=True):
    """Where to go on reading: everything before it has been yielded.

    Line sources find their place by ``offset``, containers of records by ``number``; both are always kept.
    """

    number: int = 0
    """Lines (NDJSON, CSV) or records (Avro) taken so far."""
    offset: int = 0
    """Bytes taken so far, counted after decompression."""


class Record(msgspec.Struct, gc=False):
    """One record of a file."""

    number: int
    """Line the record starts on, or its ordinal in a container; the first is 1."""
    raw: bytes
    """The record's own bytes, without the line end."""
    payload: Payload | Rejected
    after: Position
    """Where to go on once this record is dealt with."""


class Source(Protocol):
    """A file that yields its records in order, in bounded memory, from any position it has yielded before."""

    @property
    def size_bytes(self) -> int:
        """The file's size as stored (compressed, if it is)."""
        ...

    @property
    def read_bytes(self) -> int:
        """How much of ``size_bytes`` has been read: what a progress bar shows."""
        ...

    def records(self, start: Position) -> Iterator[Record]:
        """Every record after ``start``; damage comes as a record with a :class:`Rejected`, never as an exception.

        Raises:
            OSError: the file cannot be opened.
        """
        ...
