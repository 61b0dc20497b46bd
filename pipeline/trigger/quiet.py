"""Quiet hours: the end of the quiet period that a moment lies in."""

from collections.abc import Callable
from typing import Final, TypeAlias

from pipeline.event.duration import DAY_MS, MINUTE_MS
from pipeline.trigger.rules import QuietHours

Local: TypeAlias = Callable[[int], int]
"""Milliseconds since the epoch to local time, expressed as milliseconds since the epoch as if it were UTC."""
_TRIES: Final = 2
"""Iterations to convert the end from local time. An offset changes at most once a night, so two are enough."""


class Quiet:
    """The quiet hours of one trigger."""

    def __init__(self, hours: QuietHours, local: Local) -> None:
        self._start, self._end = hours.minutes()
        self._local = local

    def ends_ms(self, now_ms: int) -> int:
        """Returns the end, in ms, of the quiet hours around ``now_ms``; 0 outside them. Follows offset changes."""
        local_ms = self._local(now_ms)
        minute = local_ms % DAY_MS // MINUTE_MS
        start, end = self._start, self._end
        quiet = start <= minute < end if start < end else minute >= start or minute < end
        if not quiet:
            return 0
        days = 1 if minute >= end else 0
        end_local_ms = local_ms - local_ms % DAY_MS + days * DAY_MS + end * MINUTE_MS
        end_ms = end_local_ms - (local_ms - now_ms)
        for _ in range(_TRIES):
            end_ms = end_local_ms - (self._local(end_ms) - end_ms)
        return max(end_ms, now_ms + 1)
