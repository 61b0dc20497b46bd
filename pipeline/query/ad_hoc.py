"""Compiles the segments of the rules together with a condition that is only tried."""

from typing import Final

from pipeline.rules.model import Rules
from pipeline.score.forecast import Forecaster
from pipeline.segment.rules import SegmentRule, SegmentRules
from pipeline.segment.segments import SegmentError, Segments

AD_HOC: Final = "--when"
"""The name of the tried condition. Names of segments in the rules never begin with a dash."""


def segments_with(rules: Rules, when: str = "") -> Segments:
    """Returns the segments of the rules, and the condition ``when`` as the segment ``AD_HOC`` if it is not empty.

    Raises:
        ConditionError: the condition cannot be used; it has the position and what to write instead.
    """
    declared = rules.segments.segments
    try:
        tried = (SegmentRule(name=AD_HOC, when=when),) if when else ()
        return Segments(
            SegmentRules(segments=(*declared, *tried)),
            rules.aggregates,
            rules.scores,
            identifier_types=rules.identifier_types,
            journeys=rules.journeys,
            forecast=Forecaster(rules.model),
        )
    except SegmentError as error:
        raise error.error from error
