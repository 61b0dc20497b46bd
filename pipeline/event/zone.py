"""A time zone as plain integers: converts instants to local time without a calendar library.

>>> berlin_2026 = Zone((1774746000000, 1792890000000), (3600000, 7200000, 3600000))
>>> hour_of(berlin_2026.local(1772366400000)), weekday_of(berlin_2026.local(1772366400000))
(13, 7)
"""

from bisect import bisect_right
from typing import Final

import msgspec

from pipeline.event.duration import DAY_MS, HOUR_MS

_EPOCH_WEEKDAY: Final = 3
"""1970-01-01 was a Thursday: three days after a Monday."""


class Zone(msgspec.Struct, frozen=True):
    """A zone's offsets from UTC and the instants at which they change.

    The core has no calendar: :mod:`pipeline.rules.zones` builds a zone from its IANA name.
    """

    transitions_ms: tuple[int, ...] = ()
    """Instants from which the next offset applies, ascending, in ms."""
    offsets_ms: tuple[int, ...] = (0,)
    """Offsets from UTC: before the first transition, then from each transition on; one more than the transitions."""

    def __post_init__(self) -> None:
        if len(self.offsets_ms) != len(self.transitions_ms) + 1:
            msg = "a zone must have one offset more than transitions"
            raise ValueError(msg)

    def local(self, timestamp_ms: int) -> int:
        """Returns the local time of an instant, in milliseconds since local 1970-01-01T00:00."""
        return timestamp_ms + self.offsets_ms[bisect_right(self.transitions_ms, timestamp_ms)]


UTC: Final = Zone()


def hour_of(local_ms: int) -> int:
    """Returns the hour, 0 to 23, of a :meth:`Zone.local` time."""
    return local_ms // HOUR_MS % 24


def weekday_of(local_ms: int) -> int:
    """Returns the ISO 8601 weekday, 1 (Monday) to 7 (Sunday), of a :meth:`Zone.local` time."""
    return (local_ms // DAY_MS + _EPOCH_WEEKDAY) % 7 + 1
