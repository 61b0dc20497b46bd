"""Events per second of a worker that catches up with a backlog, from its committed offsets."""

import time
from typing import Final

import msgspec

from tests.bench.deployment import Positions
from tests.bench.process import ProcessUse

WARM_UP_SHARE: Final = 3
"""The first third is warm-up: customers and links are new, and rows are read for the first time."""
TIMEOUT_SECONDS = 900.0
POLL_SECONDS = 0.05


class Figures(msgspec.Struct):
    """One run behind its warm-up."""

    events_per_second: float
    cpu_seconds_per_100k: float
    peak_mb: float


def measured(positions: Positions, wanted: int, warm_up: int, use: ProcessUse) -> Figures:
    """Measures from the first commit at or behind the warm-up to the commit that leaves nothing to do."""
    first: tuple[float, float, int] | None = None
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        taken = positions.events_taken()
        if first is None and taken >= warm_up:
            first = time.monotonic(), use.cpu_seconds(), taken
        if first is not None and taken >= wanted and positions.touches_done():
            seconds, cpu = time.monotonic() - first[0], use.cpu_seconds() - first[1]
            done = wanted - first[2]
            return Figures(done / seconds, cpu / done * 100_000, use.peak_mb())
        time.sleep(POLL_SECONDS)
    message = f"the worker had not taken all events after {TIMEOUT_SECONDS:.0f} s"
    raise TimeoutError(message)
