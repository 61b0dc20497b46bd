"""Events that one partition of INTAKE forwards to another in a replay, and how far each partition has forwarded.

An event under a wrong key belongs to the partition of its anchor, and the copy of an alias to that of its previous user
id. With the clock "wall" both go through the events topic. In a replay they could arrive there after the target has
passed their time. So they take a topic of their own, on which each partition also reports the time up to which it has
forwarded everything; the target waits for these watermarks as for those of its inputs.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from pipeline.event.alias import copy_key
from pipeline.event.identifier import is_identifier, key_of
from pipeline.event.model import Event
from pipeline.kafka.record import Record
from pipeline.state.watermarks import WatermarkView
from pipeline.stream.stages.base import Context
from pipeline.stream.stages.internal import InternalReader
from pipeline.stream.watermark import WatermarkSender, source_of
from pipeline.topics import FORWARDS, StageName


class ForwardedEvent(msgspec.Struct, array_like=True, gc=False, tag="event", tag_field="record"):
    """An event that another partition has accepted and normalised. The record's key is the key it belongs under."""

    event: Event
    is_alias_copy: bool = False
    """Whether it is the copy of an alias, under the key of its previous user id."""


_encode: Final = msgspec.msgpack.Encoder().encode


class Forwarding:
    """Sends events to other partitions of INTAKE, and reads what they send."""

    def __init__(self, context: Context, partition: int, marks: WatermarkView, step_ms: int) -> None:
        """``step_ms`` is the least advance in event time that is worth a watermark."""
        self._emit, self._marks = context.emit, marks
        self.topic = FORWARDS.of(context.settings.topic_prefix)
        decode = msgspec.msgpack.Decoder(ForwardedEvent).decode
        self._reader = InternalReader(context, StageName.INTAKE, decode, forwarded_fault)
        is_alone = context.settings.clock == "wall" or context.partitions == 1
        others = () if is_alone else (number for number in range(context.partitions) if number != partition)
        self.sources = [source_of(StageName.INTAKE, number) for number in others]
        """The partitions whose forwarded events must be waited for, as sources of watermarks."""
        self._progress = WatermarkSender(context, source_of(StageName.INTAKE, partition), FORWARDS, step_ms)

    def send(self, home: str, event: Event, *, is_alias_copy: bool = False) -> None:
        """Sends an accepted event to the partition of its key."""
        self._emit(FORWARDS, home, _encode(ForwardedEvent(event, is_alias_copy)))

    def take(self, batch: Sequence[Record]) -> list[tuple[str, ForwardedEvent]]:
        """Notes the watermarks of a batch. Returns the keys and events in it."""
        note = self._reader.note_watermark
        return self._reader.read([record for record in batch if not note(record, self.sources, self._marks)])

    def report(self, time_ms: int, *, idle: bool) -> None:
        """Reports that all events up to a time have been forwarded, if there is another partition."""
        if self.sources:
            self._progress.send(time_ms, idle=idle)


def forwarded_fault(key: str, forwarded: ForwardedEvent) -> str:
    """Returns the fault of a forwarded event under its key, or "" if it is valid."""
    event = forwarded.event
    if not event.identifiers or not all(map(is_identifier, event.identifiers)):
        return "identifiers: empty, or not identifiers"
    home = copy_key(event) if forwarded.is_alias_copy else key_of(event.tenant, event.identifiers[0])
    if key != home:
        return "key: not that of the event"
    return "" if event.timestamp_ms >= 0 else "timestamp_ms: below zero"
