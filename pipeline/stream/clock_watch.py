"""The wall clock of a worker, which reports when it is set instead of passing."""

import time
from collections.abc import Callable
from typing import Final

from pipeline.clock import Clock, wall_clock_ms
from pipeline.obs.log import logger

STEP_MS: Final = 60_000
"""More than any adjustment of a clock that is kept by NTP, and than the leap of a virtual machine that moves."""

log = logger(__name__)


class WatchedClock:
    """A clock that logs ``clock_stepped`` when it has moved against the time that passed.

    A worker goes on whatever its clock says. Ahead, it takes what falls due early; behind, INTAKE quarantines events as
    ``from_the_future``, and the loss breaker stops a source if most are. The line tells that from bad producers.
    """

    def __init__(self, wall: Clock = wall_clock_ms, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._offset_ms = self._offset(wall())

    def __call__(self) -> int:
        """Milliseconds since the epoch, as the machine says."""
        now_ms = self._wall()
        offset_ms = self._offset(now_ms)
        step_ms = offset_ms - self._offset_ms
        if abs(step_ms) >= STEP_MS:
            self._offset_ms = offset_ms
            log.warning("clock_stepped", seconds=round(step_ms / 1000), action="check the machine's clock and its NTP")
        return now_ms

    def _offset(self, now_ms: int) -> int:
        return now_ms - int(self._monotonic() * 1000)
