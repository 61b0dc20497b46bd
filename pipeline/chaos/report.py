"""The report of a run."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

import msgspec

from pipeline.chaos.comparison import Comparison
from pipeline.chaos.plan import Kind, Plan
from pipeline.chaos.recovery import Measured
from pipeline.chaos.soak import Trend


class Recovery(msgspec.Struct, frozen=True):
    """All faults of one kind."""

    kind: Kind
    faults: int
    median_seconds: float | None
    """From the fault until work went on; None if it never did."""
    max_seconds: float | None
    unfinished: int
    """Faults after which no later event was committed on every partition before the run ended."""
    livez: dict[str, int]
    """Answer of the workers that were hit to the number of samples, most first."""
    readyz: dict[str, int]
    others: dict[str, int]
    """Answers of ``/readyz`` of the other workers."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run found."""

    plan: Plan
    replay: str
    broker: str
    disk: str
    """What stood for a full disk."""
    seconds: float
    events: int
    lives: int
    """Worker processes started."""
    foreign: int
    copies: int
    unusable_copies: int
    """Databases in copies that RocksDB refused to open."""
    recoveries: list[Recovery]
    ends: dict[str, int]
    """Exit code and last line of workers that ended by themselves, to their number."""
    exit_codes: dict[str, int]
    """Of the workers at the end of the run."""
    trends: list[Trend]
    comparisons: list[Comparison]

    @property
    def is_good(self) -> bool:
        """Returns whether no comparison found a difference."""
        return not any(each.differences for each in self.comparisons)


def recoveries(measured: Sequence[Measured]) -> list[Recovery]:
    """Returns one line per kind."""
    return [_recovery(kind, [each for each in measured if each.fault.kind == kind]) for kind in _kinds(measured)]


def _kinds(measured: Sequence[Measured]) -> list[Kind]:
    return [kind for kind in Kind if any(each.fault.kind == kind for each in measured)]


def _recovery(kind: Kind, measured: list[Measured]) -> Recovery:
    times = [each.seconds for each in measured if each.seconds is not None]
    return Recovery(
        kind=kind,
        faults=len(measured),
        median_seconds=round(median(times), 1) if times else None,
        max_seconds=max(times, default=None),
        unfinished=len(measured) - len(times),
        livez=_sum(each.livez for each in measured),
        readyz=_sum(each.readyz for each in measured),
        others=_sum(each.others for each in measured),
    )


def _sum(counters: "Sequence[Counter[str]] | object") -> dict[str, int]:
    total: Counter[str] = Counter()
    for counter in counters:  # type: ignore[attr-defined]
        total.update(counter)
    return dict(total.most_common())
