"""All rules of PROFILE, compiled together: the one call that wires profile, score, segment and trigger."""

from typing import Final
from zlib import crc32

import msgspec

from pipeline.event.zone import UTC, Zone
from pipeline.profile.aggregates import Reader, Totals
from pipeline.profile.booking import Marks, Plan, score_key
from pipeline.profile.journey.booking import journey_bookings
from pipeline.profile.journey.rules import NO_JOURNEYS, JourneyRules
from pipeline.profile.ratios import ratio_readers
from pipeline.profile.rulebook import Rulebook
from pipeline.profile.rules import AggregateRules
from pipeline.score.rules import ScoreRules
from pipeline.score.scorer import Scores
from pipeline.segment.rules import SegmentRules
from pipeline.segment.segments import Segments
from pipeline.trigger.action import Story
from pipeline.trigger.decide import Decisions
from pipeline.trigger.membership import Memberships
from pipeline.trigger.rules import TriggerRules
from pipeline.trigger.watch import Triggers

_NO_SEGMENTS: Final = SegmentRules()


def compile_rules(
    aggregates: AggregateRules,
    scores: ScoreRules,
    triggers: TriggerRules,
    segments: SegmentRules = _NO_SEGMENTS,
    *,
    journeys: JourneyRules = NO_JOURNEYS,
    zone: Zone = UTC,
) -> Rulebook:
    """What :class:`pipeline.profile.logic.ProfileLogic` and :func:`pipeline.profile.view.profile_view` work by.

    ``zone`` is that of the aggregates' ``time_zone``; :func:`pipeline.rules.compiled.compiled` finds it by its name.

    Raises:
        ValueError: A trigger watches a score that no rule adds to, or a segment that is not declared; or a segment's
            condition means nothing under the other rules.
    """
    scorer, members = Scores(scores), Segments(segments, aggregates, scores, journeys=journeys)
    for rule in triggers.segment_triggers:
        if rule.segment not in members.names:
            msg = f"trigger {rule.name!r} watches segment {rule.segment!r}: declare it in segments.yaml"
            raise ValueError(msg)
    trait_mark = 1 << len(members.names)
    fingerprint = crc32(msgspec.msgpack.encode((aggregates, journeys, scores, triggers, segments)))
    decisions = Decisions(
        Memberships(members),
        Triggers(triggers, scorer, Story(scorer, journeys.carts), zone.local),
        fingerprint,
        trait_mark,
    )
    marks = _marks(members, aggregates, scorer, trait_mark if _watch_fit(triggers, scorer) else 0)
    readers = tuple(Reader(rule) for rule in aggregates.aggregates)
    plan = Plan(aggregates.aggregates, scorer.counted, journey_bookings(journeys, zone, marks), zone, marks)
    ratios = ratio_readers(aggregates)
    return Rulebook(plan, readers, Totals(readers), scorer, members, decisions, ratios, journeys)


def _watch_fit(triggers: TriggerRules, scorer: Scores) -> bool:
    return any(rule.score in scorer.fit_names for rule in triggers.triggers)


def _marks(segments: Segments, aggregates: AggregateRules, scorer: Scores, trait_mark: int) -> Marks:
    """Which bit follows which part of a touch."""
    of = {rule.key: segments.affected_by([rule.key]) for rule in aggregates.aggregates}
    of |= {score_key(name): segments.affected_by([name]) for name in scorer.names()}
    return Marks(
        of,
        touch=segments.affected_by(["touch"]),
        traits=segments.affected_by(["traits", *scorer.fit_names]) | trait_mark,
        consent=segments.affected_by(["consent"]),
        identifiers=segments.affected_by(["identifiers"]),
        cart=segments.affected_by(["cart"]),
    )
