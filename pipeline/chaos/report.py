"""The report of a run."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import mean, median

import msgspec

from pipeline.chaos.comparison import Comparison
from pipeline.chaos.plan import Kind, Plan
from pipeline.chaos.recovery import Measured
from pipeline.chaos.soak import Trend


class Recovery(msgspec.Struct, frozen=True):
    """All faults of one kind."""

    kind: Kind
    faults: int
    lasted_seconds: float
    """Mean length of the faults themselves."""
    median_stood_seconds: float
    """The longest time in which a partition number committed no event: median over the faults."""
    max_stood_seconds: float
    unfinished: int
    """Faults after which the run ended before an event sent later was committed on every partition."""
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
    unusable_copies: list[str]
    """Databases in copies that RocksDB refused to open."""
    sent_twice: int
    """Events that producers delivered more than once. INTAKE drops them by their message ids."""
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
    stood = [each.stood_seconds for each in measured]
    return Recovery(
        kind=kind,
        faults=len(measured),
        lasted_seconds=round(mean(each.fault.lasts_seconds for each in measured), 1),
        median_stood_seconds=round(median(stood), 1),
        max_stood_seconds=round(max(stood), 1),
        unfinished=sum(not each.goes_on for each in measured),
        livez=_sum(each.livez for each in measured),
        readyz=_sum(each.readyz for each in measured),
        others=_sum(each.others for each in measured),
    )


def _sum(counters: Iterable[Counter[str]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return dict(total.most_common())
