"""Compares touches with events: each event taken exactly once, those of one anchor and channel in their order."""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from pipeline.chaos.comparison import Comparison, comparison
from pipeline.chaos.day import Sent
from pipeline.chaos.topics_read import records
from pipeline.profile.messages import Carry, IdentifierOwnership, Move, Touch
from pipeline.settings import Settings
from pipeline.topics import TOUCHES

_DECODE = msgspec.msgpack.Decoder(Touch | Move | Carry | IdentifierOwnership).decode


def check_touches(settings: Settings, day: Sequence[Sent]) -> Comparison:
    """Compares the touches that INTAKE emitted; forwarded ones repeat them by design."""
    touches = []
    for message in records(settings, TOUCHES):
        touch = _DECODE(message.value() or b"")
        if isinstance(touch, Touch) and touch.seq == 0:
            touches.append((message.partition() or 0, touch))
    return comparison("touches and events", len(touches), _differences(touches, day))


def _differences(touches: Sequence[tuple[int, Touch]], day: Sequence[Sent]) -> Iterator[str]:
    place = {sent.message_id: number for number, sent in enumerate(day)}
    taken: Counter[str] = Counter()
    last: dict[tuple[int, str, str], int] = {}
    for partition, touch in touches:
        message_id = touch.event_id.partition("/")[2]
        taken[message_id] += 1
        way, number = (partition, touch.anchor, touch.channel), place.get(message_id, -1)
        if number <= last.get(way, -1):
            yield f"out of order: event {message_id} of {touch.anchor} after event {last[way]} of the day"
        last[way] = number
    yield from (f"doubled: event {name} was taken {count} times" for name, count in taken.items() if count > 1)
    yield from (f"lost: event {name} was never taken" for name in place.keys() - taken.keys())
    yield from (f"unknown: event {name} was never sent" for name in taken.keys() - place.keys())
