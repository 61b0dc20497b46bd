"""The compiled rules that all profiles share."""

from typing import NamedTuple

from pipeline.profile.aggregates import AggregateReader, Totals
from pipeline.profile.booking import Plan
from pipeline.profile.journey.rules import NO_JOURNEYS, JourneyRules
from pipeline.profile.ports import Decider, Forecast, Scorer, Segmenter
from pipeline.profile.ratios import RatioReader


class CompiledRules(NamedTuple):
    """The plan for booking, the readers and the decider. Built by :func:`pipeline.trigger.compile.compile_rules`."""

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
    """A hash of the deciding rules. A row with another fingerprint was decided under other rules."""
    version: str = ""
    """Version of the rules as they were read; every profile update carries it."""
