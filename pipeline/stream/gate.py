"""The gate in front of a stage's logic: with the clock "stream", records pass it in the order of event time.

A record waits in state until the least watermark of the stage's sources has reached its time. So what a stage decides
depends neither on batches, partitions and restarts nor on the order of arrival. A late record, whose time the watermark
has already passed, goes through with the next release.

With the clock "wall" the gate is open: stages hand records to their logic directly. Records that an earlier run with
the clock "stream" left behind pass first.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pipeline.kafka.record import Header, Record
from pipeline.state import layout
from pipeline.state.ordered import OrderedBuffer
from pipeline.state.store import PartitionStore
from pipeline.state.watermarks import BEGINNING, WatermarkView
from pipeline.stream.erasing import is_marking
from pipeline.stream.order import cause_of, moment, order_of, time_of
from pipeline.stream.stages.base import Context
from pipeline.stream.stages.internal import InternalReader
from pipeline.stream.watermark import source_of
from pipeline.topics import StageName

END: Final = 1 << 61
"""After every event time: the watermark while the clock is "wall"."""
MAX_RELEASED: Final = 1_000
"""Records that a stage passes on in one release, so that a backlog does not delay a commit."""
_REACHED: Final = "reached"
"""The name under which the gate keeps its own watermark."""
_OFFSET_BYTES: Final = 8


class HeldRecord(msgspec.Struct, array_like=True, gc=False):
    """A record that waits, with everything that is needed to process or to quarantine it later."""

    place: bytes
    """Its order in event time (:mod:`pipeline.stream.order`)."""
    of_topic: str
    of_partition: int
    of_offset: int
    of_key: bytes | None
    of_value: bytes | None
    of_headers: list[Header] | None = None

    def topic(self) -> str:
        """Returns the name of the topic the record was read from."""
        return self.of_topic

    def partition(self) -> int:
        """Returns the partition the record was read from."""
        return self.of_partition

    def offset(self) -> int:
        """Returns the record's offset."""
        return self.of_offset

    def key(self) -> bytes | None:
        """Returns the key bytes."""
        return self.of_key

    def value(self) -> bytes | None:
        """Returns the value bytes."""
        return self.of_value

    def headers(self) -> list[Header] | None:
        """Returns the headers in order."""
        return self.of_headers


_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(HeldRecord).decode


class Gate:
    """Holds a stage's records back until every partition of the stage before has passed their time."""

    def __init__(
        self, context: Context, upstream: StageName, store: PartitionStore, reader: InternalReader[Any]
    ) -> None:
        """``upstream`` is the stage whose partitions send the watermarks; ``reader`` quarantines damaged ones."""
        self._is_wall = context.settings.clock == "wall"
        self._sources = [source_of(upstream, partition) for partition in range(context.partitions)]
        self._reader = reader
        self.buffer = OrderedBuffer(layout.HELD, store)
        self.marks = WatermarkView(store)
        self.is_open = self._is_wall and self.buffer.first() is None
        """Whether records need not wait, and none does."""

    @property
    def views(self) -> tuple[OrderedBuffer, WatermarkView]:
        """Returns the gate's tables."""
        return self.buffer, self.marks

    @property
    def reached_ms(self) -> int:
        """Returns the event time up to which records may pass, in ms since 1970."""
        return END if self._is_wall else self.marks.of(_REACHED).time_ms

    @property
    def passed_ms(self) -> int:
        """Returns the event time up to which no record waits; at most ``reached_ms``."""
        first = self.buffer.first()
        return self.reached_ms if first is None else min(self.reached_ms, time_of(first) - 1)

    @property
    def held(self) -> int:
        """Returns the number of records that wait."""
        return self.buffer.count()

    def take_in(self, batch: Sequence[Record]) -> None:
        """Holds the records of a batch, and notes the watermarks among them. Leaves out markings of erasures."""
        for record in batch:
            if is_marking(record) or self._reader.note_watermark(record, self._sources, self.marks):
                continue
            place = order_of(record)
            self.hold(
                HeldRecord(
                    place, record.topic(), record.partition(), record.offset(), record.key(), record.value(),
                    record.headers(),
                )
            )  # fmt: skip
        self.advance()

    def hold(self, record: HeldRecord) -> None:
        """Holds one record."""
        self.is_open = False
        self.buffer.put(record.place + b"\0" + record.of_offset.to_bytes(_OFFSET_BYTES), _encode(record))

    def advance(self) -> None:
        """Moves the gate's watermark to the least one of the sources."""
        least_ms = self.marks.least_ms(self._sources)
        if least_ms > BEGINNING:
            self.marks.note(_REACHED, least_ms)

    def release(self, limit: int) -> list[HeldRecord]:
        """Removes and returns about ``limit`` records that may pass, in their order; those of one event together."""
        end = moment(self.reached_ms + 1)
        items = self.buffer.take(end, limit)
        if items:
            cause = cause_of(items[-1][0][: -_OFFSET_BYTES - 1])
            while (first := self.buffer.first()) is not None and first < end and first.startswith(cause):
                items += self.buffer.take(end, 1)
        elif self._is_wall:
            self.is_open = True
        return [_decode(body) for _, body in items]
