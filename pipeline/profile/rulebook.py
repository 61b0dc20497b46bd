"""The rules a profile is kept by, compiled once and shared by every profile."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.event.zone import UTC, Zone
from pipeline.profile.aggregates import Reader, Totals
from pipeline.profile.booking import Counted, Plan
from pipeline.profile.journey.booking import journey_bookings
from pipeline.profile.journey.rules import NO_JOURNEYS, JourneyRules
from pipeline.profile.ports import Scorer, Watcher
from pipeline.profile.ratios import RatioReader, ratio_readers
from pipeline.profile.rules import AggregateRules


class Rulebook(NamedTuple):
    """What to book, how to read it, and what follows. :func:`pipeline.trigger.rulebook.compile_rules` makes one."""

    plan: Plan
    readers: tuple[Reader, ...]
    totals: Totals
    scorer: Scorer
    watcher: Watcher
    ratios: tuple[RatioReader, ...] = ()
    journeys: JourneyRules = NO_JOURNEYS


def rulebook(
    aggregates: AggregateRules,
    counted: Sequence[Counted],
    scorer: Scorer,
    watcher: Watcher,
    *,
    journeys: JourneyRules = NO_JOURNEYS,
    zone: Zone = UTC,
) -> Rulebook:
    """Compile the profile's own rules, beside what the packages above provide; ``zone`` is the rules' time zone."""
    rules = aggregates.aggregates
    readers = tuple(Reader(rule) for rule in rules)
    plan = Plan(rules, counted, journey_bookings(journeys, zone), zone)
    return Rulebook(plan, readers, Totals(readers), scorer, watcher, ratio_readers(aggregates), journeys)
