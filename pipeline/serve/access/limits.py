"""Limits the requests of each key. Every API process counts by itself."""

from connectors.collect.limits import Rate
from pipeline.clock import Clock, wall_clock_ms
from pipeline.serve.access.keys import ApiKey


class RequestLimits:
    """A token bucket for each key."""

    def __init__(self, clock: Clock = wall_clock_ms) -> None:
        self._clock = clock
        self._rates: dict[str, tuple[int, Rate]] = {}

    def wait_seconds(self, key: ApiKey) -> int:
        """Counts a request. Returns 0 if it is let in, else after how many seconds to try again."""
        known = self._rates.get(key.key_id)
        if known is None or known[0] != key.requests_per_minute:
            known = self._rates[key.key_id] = (key.requests_per_minute, Rate(key.requests_per_minute / 60))
        wait = known[1].wait_seconds(self._clock())
        if not wait:
            known[1].take(1)
        return wait
