"""The rules a profile is kept by, compiled once and shared by every profile."""

from typing import NamedTuple

from pipeline.profile.aggregates import Reader, Totals
from pipeline.profile.booking import Plan
from pipeline.profile.ports import Decider, Scorer, Segmenter


class Rulebook(NamedTuple):
    """What to book, how to read it, and what follows. :func:`pipeline.trigger.rulebook.compile_rules` makes one."""

    plan: Plan
    readers: tuple[Reader, ...]
    totals: Totals
    scorer: Scorer
    segments: Segmenter
    decider: Decider
