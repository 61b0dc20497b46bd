"""The rules a profile is kept by, compiled once and shared by every profile."""

from typing import NamedTuple

from pipeline.profile.aggregates import AggregateReader, Totals
from pipeline.profile.booking import Plan
from pipeline.profile.journey.rules import NO_JOURNEYS, JourneyRules
from pipeline.profile.ports import Decider, Forecast, Scorer, Segmenter
from pipeline.profile.ratios import RatioReader


class CompiledRules(NamedTuple):
    """What to book, how to read it, and what follows. :func:`pipeline.trigger.compile.compile_rules` makes one."""

    plan: Plan
    readers: tuple[AggregateReader, ...]
    totals: Totals
    scorer: Scorer
    segments: Segmenter
    decider: Decider
    forecast: Forecast
    ratios: tuple[RatioReader, ...] = ()
    journeys: JourneyRules = NO_JOURNEYS
    fingerprint: int = 0
    """Changes with the rules that decide: rows that workers decided by others carry another one."""
    version: str = ""
    """Of the rules as they were read; it goes out with every profile update."""
