"""Memory, disk and descriptors over time, and whether they rise.

Memory rises until caches and write buffers are full, and files until each table has its few, so a soak runs with small
limits. State on disk rises with the input, so a soak compares its size for each event.

Half of the events lie between the middles of the second and the last quarter. So a leak is found if it is larger than
32 MiB for that many: from 0.6 kB per event in a soak of 120,000.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Final

import msgspec

from pipeline.chaos.comparison import Comparison, comparison
from pipeline.chaos.workers import ChaosWorker

SAMPLE_SECONDS: Final = 5.0
MIN_SAMPLES: Final = 24
"""Fewer say nothing of a trend: two minutes."""
MEGABYTE: Final = 1 << 20
SMALL_CACHES: Final = {
    "cached_rows": 400, "block_cache_bytes": 2 * MEGABYTE, "write_buffers_bytes": 8 * MEGABYTE, "open_files": 160,
}  # fmt: skip
"""Settings of a soak's workers: full after some hundred customers."""


class Bound(msgspec.Struct, frozen=True):
    """How much a quantity may rise between the second and the last quarter of a run."""

    share: float
    amount: int
    """In the quantity's own unit. The larger of both counts."""


BOUNDS: Final[dict[str, Bound]] = {
    "resident memory of all workers, bytes": Bound(0.10, 32 * MEGABYTE),
    "state on disk, bytes for each event": Bound(0.25, 256),
    "open files of all workers": Bound(0.10, 16),
}


class Trend(msgspec.Struct, frozen=True):
    """One quantity over a run: medians of its quarters."""

    name: str
    quarters: list[int]
    highest: int
    allowed: int
    """The most that the median of the last quarter may be."""

    @property
    def rises(self) -> bool:
        """Returns whether the last quarter is above what is allowed."""
        return self.quarters[-1] > self.allowed


class Soak:
    """Samples now and then while it is called."""

    def __init__(
        self, workers: Callable[[], Iterable[ChaosWorker]], disk_bytes: Callable[[], int], events: Callable[[], int]
    ) -> None:
        """``events`` returns the number of events that were sent so far."""
        self._workers, self._disk_bytes, self._events = workers, disk_bytes, events
        self._due = 0.0
        self._samples: dict[str, list[int]] = {name: [] for name in BOUNDS}

    def check(self) -> None:
        """Takes a sample if it is time."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + SAMPLE_SECONDS
        running = list(self._workers())
        memory, files = sum(each.resident_bytes() for each in running), sum(each.descriptors() for each in running)
        disk = self._disk_bytes() // max(1, self._events())
        for samples, value in zip(self._samples.values(), (memory, disk, files), strict=True):
            samples.append(value)

    def trends(self) -> list[Trend]:
        """Returns the trend of each quantity; none of a run that was too short."""
        return [trend_of(name, samples) for name, samples in self._samples.items() if len(samples) >= MIN_SAMPLES]


def trend_of(name: str, samples: Sequence[int]) -> Trend:
    """Returns the trend of at least four samples. The first quarter, in which caches fill, decides nothing."""
    size = len(samples) / 4
    quarters = [int(median(samples[int(size * n) : int(size * (n + 1))])) for n in range(4)]
    bound = BOUNDS[name]
    return Trend(name, quarters, max(samples), quarters[1] + max(bound.amount, int(quarters[1] * bound.share)))


def check_trends(trends: Sequence[Trend]) -> Comparison:
    """Nothing rises beyond its bound."""
    texts = (
        f"rises: {trend.name}: {trend.quarters[1]:,} in the second quarter, {trend.quarters[-1]:,} in the last, "
        f"allowed {trend.allowed:,}"
        for trend in trends if trend.rises
    )  # fmt: skip
    return comparison("memory, disk and files are flat", len(trends), texts)
