"""The rules a profile is kept by, compiled once and shared by every profile."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.profile.aggregates import Reader, Totals
from pipeline.profile.booking import Counted, Plan
from pipeline.profile.ports import Decider, Scorer
from pipeline.profile.rules import AggregateRule


class Rulebook(NamedTuple):
    """What to book, how to read it, and what follows. :func:`pipeline.trigger.rulebook.compile_rules` makes one."""

    plan: Plan
    readers: tuple[Reader, ...]
    totals: Totals
    scorer: Scorer
    decider: Decider


def rulebook(
    aggregates: Sequence[AggregateRule], counted: Sequence[Counted], scorer: Scorer, decider: Decider
) -> Rulebook:
    """Compile the profile's own rules, beside what the packages above provide."""
    readers = tuple(Reader(rule) for rule in aggregates)
    return Rulebook(Plan(aggregates, counted), readers, Totals(readers), scorer, decider)
