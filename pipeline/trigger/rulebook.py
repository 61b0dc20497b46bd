"""All rules of PROFILE, compiled together: the one call that wires profile, score, segment and trigger."""

from typing import Final
from zlib import crc32

import msgspec

from pipeline.profile.aggregates import Reader, Totals
from pipeline.profile.booking import Marks, Plan, booking_key, score_key
from pipeline.profile.rulebook import Rulebook
from pipeline.profile.rules import AggregateRules
from pipeline.score.rules import ScoreRules
from pipeline.score.scorer import Scores
from pipeline.segment.rules import SegmentRules
from pipeline.segment.segments import Segments
from pipeline.trigger.action import Story
from pipeline.trigger.decide import Decisions
from pipeline.trigger.membership import Memberships
from pipeline.trigger.quiet import Local
from pipeline.trigger.rules import TriggerRules
from pipeline.trigger.watch import Triggers

_NO_SEGMENTS: Final = SegmentRules()


def utc(ms: int) -> int:
    """The clock on the wall where there is no time zone."""
    return ms


def compile_rules(
    aggregates: AggregateRules,
    scores: ScoreRules,
    triggers: TriggerRules,
    segments: SegmentRules = _NO_SEGMENTS,
    *,
    local: Local = utc,
) -> Rulebook:
    """What :class:`pipeline.profile.logic.ProfileLogic` and :func:`pipeline.profile.view.profile_view` work by.

    Raises:
        ValueError: A trigger watches a score that no rule adds to, or a segment that is not declared; or a segment's
            condition means nothing under the other rules.
    """
    scorer, members = Scores(scores), Segments(segments, aggregates, scores)
    for rule in triggers.segment_triggers:
        if rule.segment not in members.names:
            msg = f"trigger {rule.name!r} watches segment {rule.segment!r}: declare it in segments.yaml"
            raise ValueError(msg)
    trait_mark = 1 << len(members.names)
    fingerprint = crc32(msgspec.msgpack.encode((aggregates, scores, triggers, segments)))
    decisions = Decisions(
        Memberships(members), Triggers(triggers, scorer, Story(scorer), local), fingerprint, trait_mark
    )
    marks = _marks(members, aggregates, scorer, trait_mark if _watch_fit(triggers, scorer) else 0)
    readers = tuple(Reader(rule) for rule in aggregates.aggregates)
    plan = Plan(aggregates.aggregates, scorer.counted, marks)
    return Rulebook(plan, readers, Totals(readers), scorer, members, decisions)


def _watch_fit(triggers: TriggerRules, scorer: Scores) -> bool:
    return any(rule.score in scorer.fit_names for rule in triggers.triggers)


def _marks(segments: Segments, aggregates: AggregateRules, scorer: Scores, trait_mark: int) -> Marks:
    """Which bit follows which part of a touch."""
    keys = [booking_key(rule) for rule in aggregates.aggregates]
    of = {key: segments.affected_by([key]) for key in keys}
    of |= {score_key(name): segments.affected_by([name]) for name in scorer.names()}
    return Marks(
        of,
        touch=segments.affected_by(["touch"]),
        traits=segments.affected_by(["traits", *scorer.fit_names]) | trait_mark,
        consent=segments.affected_by(["consent"]),
        identifiers=segments.affected_by(["identifiers"]),
    )
