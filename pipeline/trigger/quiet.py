"""Quiet hours: when what fires now may be told."""

from collections.abc import Callable
from typing import Final, TypeAlias

from pipeline.event.duration import DAY_MS, MINUTE_MS
from pipeline.trigger.rules import QuietHours

Local: TypeAlias = Callable[[int], int]
"""Milliseconds since the epoch to the same of a clock on the wall, as if that were UTC."""
_TRIES: Final = 2
"""An offset changes at most once in a night: the second look is with the offset that holds at the end."""


class Quiet:
    """The quiet hours of one trigger."""

    def __init__(self, hours: QuietHours, local: Local) -> None:
        self._start, self._end = hours.minutes()
        self._local = local

    def ends_ms(self, now_ms: int) -> int:
        """When the quiet that ``now_ms`` lies in ends; 0 if it lies in none. Summer time is followed, not guessed."""
        local_ms = self._local(now_ms)
        minute = local_ms % DAY_MS // MINUTE_MS
        start, end = self._start, self._end
        quiet = start <= minute < end if start < end else minute >= start or minute < end
        if not quiet:
            return 0
        days = 1 if minute >= end else 0
        end_local_ms = local_ms - local_ms % DAY_MS + days * DAY_MS + end * MINUTE_MS
        found_ms = end_local_ms - (local_ms - now_ms)
        for _ in range(_TRIES):
            found_ms = end_local_ms - (self._local(found_ms) - found_ms)
        return max(found_ms, now_ms + 1)
