"""Events per second of a worker that catches up with a backlog, from its committed offsets."""

import time
from collections.abc import Sequence
from typing import Final

import msgspec

from tests.bench.deployment import Positions
from tests.bench.process import ProcessUse

WARM_UP_SHARE: Final = 3
"""The first third is warm-up: customers and links are new, and rows are read for the first time."""
TIMEOUT_SECONDS = 300.0
POLL_SECONDS = 0.02


class Figures(msgspec.Struct):
    """One run behind its warm-up."""

    events_per_second: float
    cpu_seconds_per_100k: float
    peak_mb: float


def measured(positions: Positions, wanted: int, warm_up: int, uses: Sequence[ProcessUse]) -> Figures:
    """Measures from the first commit at or behind the warm-up to the commit that leaves nothing to do."""
    first: tuple[float, float, int] | None = None
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        taken = positions.events_taken()
        if first is None and taken >= warm_up:
            first = time.monotonic(), _cpu_seconds(uses), taken
        if first is not None and taken >= wanted and positions.touches_done():
            seconds, cpu = time.monotonic() - first[0], _cpu_seconds(uses) - first[1]
            done = wanted - first[2]
            if not done:
                message = "the first commit behind the warm-up was the last one; measure more events"
                raise TimeoutError(message)
            return Figures(done / seconds, cpu / done * 100_000, max(use.peak_mb() for use in uses))
        if not all(use.is_running() for use in uses):
            message = f"a measured process has ended after {taken} of {wanted} events"
            raise RuntimeError(message)
        time.sleep(POLL_SECONDS)
    message = f"the worker had not taken all events after {TIMEOUT_SECONDS:.0f} s"
    raise TimeoutError(message)


def _cpu_seconds(uses: Sequence[ProcessUse]) -> float:
    return sum(use.cpu_seconds() for use in uses)
