"""The place of a record in event time, which a header carries with the clock "stream".

Records are ordered by the time of the event that caused them, then by that event's id, then by their place among the
records that the event caused. Nothing of it depends on partitions or on the order of arrival.
"""

from enum import IntEnum
from typing import Final

from pipeline.kafka.record import Header, Record

ORDER_HEADER: Final = "stitchline-order"
TIME_BYTES: Final = 8
INDEX_BYTES: Final = 3
PLACE_BYTES: Final = 1 + INDEX_BYTES
_BIAS: Final = 1 << 62
"""Added to a time in ms, so that times before 1970 sort before later ones."""
AT_ONCE: Final = bytes(TIME_BYTES)
"""The order of a record without one, such as a person's command: before all others."""


class Phase(IntEnum):
    """The place of an event's records in their order."""

    TOUCH = 0
    """A touch is booked for the profile that owned its anchor before the event."""
    IDENTITY = 1
    """Links and commands of the event, and what they take from profiles."""
    ARRIVAL = 2
    """Ledgers that arrive by a move of the event: after the profile has lost others by the same event."""


def moment(time_ms: int) -> bytes:
    """Returns the first bytes of the order of every record of this time."""
    return (time_ms + _BIAS).to_bytes(TIME_BYTES)


def order(time_ms: int, event_id: str, phase: Phase, index: int = 0) -> bytes:
    """Returns the order of a record that the event ``event_id`` causes at its time."""
    return moment(time_ms) + event_id.encode() + bytes((0, phase)) + index.to_bytes(INDEX_BYTES)


def cause_of(place: bytes) -> bytes:
    """Returns the part of an order that all records of one event share."""
    return place[:-PLACE_BYTES]


def following(cause: bytes, phase: Phase, index: int) -> bytes:
    """Returns the order of a further record of an event, by :func:`cause_of` of another."""
    return cause + bytes((phase,)) + index.to_bytes(INDEX_BYTES)


def arrival(place: bytes) -> bytes:
    """Returns the order of a move for its target, by its order for its source."""
    return cause_of(place) + bytes((Phase.ARRIVAL,)) + place[-INDEX_BYTES:]


def after(place: bytes) -> bytes:
    """Returns the order directly after a place."""
    return place + b"+"


def time_of(place: bytes) -> int:
    """Returns the event time of an order in ms since 1970."""
    return int.from_bytes(place[:TIME_BYTES]) - _BIAS


def in_order(place: bytes) -> list[Header]:
    """Returns the headers of a record with this order."""
    return [(ORDER_HEADER, place)]


def order_of(record: Record) -> bytes:
    """Returns the order of a record; ``AT_ONCE`` if it has none."""
    for name, value in record.headers() or ():
        if name == ORDER_HEADER and len(value) >= TIME_BYTES:
            return value
    return AT_ONCE
