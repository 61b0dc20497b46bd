"""Limits of a source: events per second as a token bucket, and events per UTC day."""

import math
from typing import Final

from pipeline.event.duration import DAY_MS

BURST_SECONDS: Final = 2.0
"""A bucket holds the events of so many seconds."""


class Rate:
    """A token bucket. A request is let in while a token is left, and then takes one token for each of its events."""

    def __init__(self, per_second: float) -> None:
        """``per_second`` 0: no limit."""
        self._per_second = per_second
        self._capacity = max(1.0, per_second * BURST_SECONDS)
        self._tokens, self._at_ms = self._capacity, 0

    def wait_seconds(self, now_ms: int) -> int:
        """Returns after how many seconds to try again; 0 if a request may come in now."""
        if not self._per_second:
            return 0
        passed = max(0, now_ms - self._at_ms) / 1000
        self._tokens = min(self._capacity, self._tokens + passed * self._per_second)
        self._at_ms = now_ms
        return 0 if self._tokens >= 1 else max(1, math.ceil((1 - self._tokens) / self._per_second))

    def take(self, events: int) -> None:
        """Takes a token for each event. The bucket may go below zero, which delays the next request."""
        if self._per_second:
            self._tokens -= events


class DailyCap:
    """Counts the events of one UTC day."""

    def __init__(self, events: int, day: int = 0, taken: int = 0) -> None:
        """``events`` 0: no limit. ``day`` counts from 1970; ``taken`` were already taken on it."""
        self._events = events
        self.day, self.taken = day, taken

    def wait_seconds(self, now_ms: int) -> int:
        """Returns the seconds until the next day if the cap is reached, else 0."""
        day = now_ms // DAY_MS
        if day != self.day:
            self.day, self.taken = day, 0
        if not self._events or self.taken < self._events:
            return 0
        return max(1, math.ceil(((day + 1) * DAY_MS - now_ms) / 1000))

    def take(self, events: int) -> None:
        """Counts events."""
        self.taken += events
