"""Accepted events in front of INTAKE's decisions, with the clock "stream": in order of event time.

An event waits until every input of the partition has passed its time by the lateness allowed. An input at its end that
stays silent is idle and no longer counts.
"""

from collections.abc import Collection
from hashlib import blake2b
from typing import Final

import msgspec

from pipeline.event.model import Event
from pipeline.state import layout
from pipeline.state.ordered import OrderedBuffer
from pipeline.state.store import PartitionStore
from pipeline.state.watermarks import BEGINNING, WatermarkView
from pipeline.stream.order import Phase, moment, order, time_of

_DIGEST_BYTES: Final = 8
_ARRIVAL_BYTES: Final = 12


class QueuedEvent(msgspec.Struct, array_like=True, gc=False):
    """An accepted event that waits."""

    home: str
    """Its key: tenant and anchor."""
    event: Event
    arrival: int
    """Distinguishes it from an equal event."""
    is_alias_copy: bool = False
    """Whether it is the copy of an alias, under the key of its previous user id."""


_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(QueuedEvent).decode


class EventQueue:
    """The events of one partition of INTAKE, and how far each of its inputs is."""

    def __init__(
        self,
        store: PartitionStore,
        marks: WatermarkView,
        inputs: Collection[str],
        lateness_ms: int,
        idle_seconds: float,
        *,
        forwarders: Collection[str] = (),
    ) -> None:
        """``inputs`` are the names of the topics. An input that is silent for ``idle_seconds`` is idle.

        ``forwarders`` are further sources, whose watermarks others note.
        """
        self.buffer = OrderedBuffer(layout.HELD_EVENTS, store)
        self._marks, self._lateness_ms, self._idle_seconds = marks, lateness_ms, idle_seconds
        self._source_of = {topic: topic for topic in inputs}
        self._forwarders = list(forwarders)
        self._sources = list(inputs)
        self._number_of = {topic: number for number, topic in enumerate(inputs)}
        self._closed = False
        self.is_paused = False
        """Whether no event passes for now, because records of the same time may still be taken in."""

    def begin_source(self, source: str, *, more: bool) -> None:
        """Reads all inputs as one source from now on, such as a file; the sources before are at their end.

        While ``more`` sources are to begin, no event passes.
        """
        for before in self._sources:
            self._end(before)
        self._source_of = dict.fromkeys(self._source_of, source)
        self._sources = [*self._sources, source]
        self._closed = more

    def hold(self, topic: str, offset: int, home: str, event: Event, *, is_alias_copy: bool = False) -> None:
        """Adds an accepted event. Only of two events that are equal in all else does the offset matter."""
        arrival = offset * len(self._number_of) + self._number_of[topic]
        self._put(home, event, arrival, is_alias_copy=is_alias_copy)
        self.note(topic, event.timestamp_ms)

    def note(self, topic: str, time_ms: int) -> None:
        """Notes that an input has reached an event time, with an event that is held or forwarded."""
        source = self._source_of[topic]
        self._marks.note(source, time_ms - self._lateness_ms)
        self._marks.note(_newest(source), time_ms)

    def hold_forwarded(self, home: str, event: Event, *, is_alias_copy: bool) -> None:
        """Adds an event that another partition has accepted. It does not advance any input of this one."""
        self._put(home, event, 0, is_alias_copy=is_alias_copy)

    def _put(self, home: str, event: Event, arrival: int, *, is_alias_copy: bool) -> None:
        digest = blake2b(_encode(event), digest_size=_DIGEST_BYTES).digest()
        place = order(event.timestamp_ms, event.event_id, Phase.TOUCH)
        key = place + b"\0" + digest + arrival.to_bytes(_ARRIVAL_BYTES) + bytes((is_alias_copy,))
        self.buffer.put(key, _encode(QueuedEvent(home, event, arrival, is_alias_copy)))

    def on_silence(self, topic: str, seconds: float) -> bool:
        """Marks an input as idle if it has been silent for long enough. Returns whether it became idle."""
        source = self._source_of[topic]
        if seconds < self._idle_seconds or self._marks.of(source).idle:
            return False
        self._end(source)
        return True

    def _end(self, source: str) -> None:
        self._marks.note(source, self._marks.of(_newest(source)).time_ms, idle=True)

    def release(self, limit: int) -> list[QueuedEvent]:
        """Removes and returns at most ``limit`` events whose time every input has passed, in their order."""
        if self._closed or self.is_paused:
            return []
        return [_decode(body) for _, body in self.buffer.take(moment(self._least_ms() + 1), limit)]

    def mark(self) -> tuple[int, bool]:
        """Returns the event time before which no event waits or is expected, and whether every input is idle."""
        if self._closed or self.is_paused:
            return BEGINNING, False
        least_ms, first = self._least_ms(), self.buffer.first()
        if first is not None and time_of(first) <= least_ms:
            return time_of(first) - 1, False
        return least_ms, self._are_idle([*self._sources, *self._forwarders])

    def forwarded_mark(self) -> tuple[int, bool]:
        """Returns the event time up to which all events were taken in or forwarded, and whether all inputs are idle."""
        if self._closed or self.is_paused:
            return BEGINNING, False
        return self._marks.least_ms(self._sources), self._are_idle(self._sources)

    def _are_idle(self, sources: Collection[str]) -> bool:
        return all(self._marks.of(source).idle for source in sources)

    def _least_ms(self) -> int:
        return self._marks.least_ms([*self._sources, *self._forwarders])


def _newest(source: str) -> str:
    """Returns the name under which the event time of a source's newest event is kept."""
    return f"newest/{source}"
