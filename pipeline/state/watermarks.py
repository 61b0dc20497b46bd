"""Watermarks of a stage's sources, kept in state: how far each source is in event time.

A watermark never goes back. A source that is idle does not count, unless all are.
"""

from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from pipeline.state import layout
from pipeline.state.store import Change, PartitionStore

BEGINNING: Final = -(1 << 61)
"""Before every event time in milliseconds since 1970: the watermark of a source that has sent none."""


class SourceMark(msgspec.Struct, array_like=True, gc=False):
    """How far a source is."""

    time_ms: int = BEGINNING
    """No further record of the source is expected at or before this event time, in ms since 1970."""
    idle: bool = False
    """Whether the source had reached its end and was silent. Its time is then that of its newest record."""


_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(SourceMark).decode


class WatermarkView:
    """A partition's table of sources and their watermarks. There are few rows, so all of them are in memory."""

    family = layout.WATERMARKS

    def __init__(self, store: PartitionStore) -> None:
        self._store = store
        self._marks: dict[str, SourceMark] = {}
        self._changed: set[str] = set()
        self.forget()

    def of(self, source: str) -> SourceMark:
        """Returns the watermark of a source, by default ``BEGINNING``."""
        return self._marks.get(source) or SourceMark()

    def note(self, source: str, time_ms: int, *, idle: bool = False) -> None:
        """Stores how far a source is. An earlier time than before is ignored."""
        before = self.of(source)
        mark = SourceMark(max(before.time_ms, time_ms), idle)
        if mark != before:
            self._marks[source] = mark
            self._changed.add(source)

    def least_ms(self, sources: Collection[str]) -> int:
        """Returns the least watermark of the sources that are not idle; the greatest of all if every one is idle."""
        marks = [self.of(source) for source in sources]
        active = [mark.time_ms for mark in marks if not mark.idle]
        return min(active) if active else max((mark.time_ms for mark in marks), default=BEGINNING)

    def changes(self) -> Iterator[Change]:
        """Yields the watermarks changed since the last commit."""
        for source in self._changed:
            yield Change(self.family, source.encode(), _encode(self._marks[source]))

    def committed(self) -> None:
        """Called after the result of :meth:`changes` has become durable."""
        self._changed = set()

    def forget(self) -> None:
        """Reads the committed watermarks again: the unit of work was aborted."""
        self._marks = {key.decode(): _decode(row) for key, row in self._store.scan(self.family)}
        self._changed = set()
