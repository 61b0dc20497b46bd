"""Compiles all rules of PROFILE: the one place that wires profile, score, segment and trigger together."""

from collections.abc import Callable
from typing import Final
from zlib import crc32

import msgspec

from pipeline.event.zone import UTC, Zone
from pipeline.profile.aggregates import AggregateReader, Totals
from pipeline.profile.booking import Plan
from pipeline.profile.compiled_rules import CompiledRules
from pipeline.profile.journey.booking import journey_bookings
from pipeline.profile.journey.rules import NO_JOURNEYS, JourneyRules
from pipeline.profile.ratios import ratio_readers
from pipeline.profile.rule_booking import ChangedBits
from pipeline.profile.rules import AggregateRules
from pipeline.score.forecast import Forecaster
from pipeline.score.prediction import PredictionModel
from pipeline.score.rules import ScoreRules
from pipeline.score.scorer import Scores
from pipeline.segment.rules import SegmentRules
from pipeline.segment.segments import Segments
from pipeline.trigger.action import ActionContext
from pipeline.trigger.decide import TRAITS_CHANGED, RuleDecider
from pipeline.trigger.episodes import EQUAL, Strength
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
    model: PredictionModel | None = None,
    strength: Strength = EQUAL,
    interpret: bool = False,
) -> CompiledRules:
    """Compiles the rules that :mod:`pipeline.profile.logic` and :mod:`pipeline.profile.view` work with.

    ``strength`` orders the anchors whose ledgers store episodes. ``zone`` holds the offsets of the aggregates'
    ``time_zone``. :func:`pipeline.rules.compiled.compiled` provides both. ``interpret``: reads the rules as data
    instead of generating functions from them, with the same results.

    Raises:
        ValueError: A trigger watches a score that no rule adds to, or a segment that is not declared; or a segment's
            condition uses a name that the other rules do not define.
    """
    scorer, forecaster = Scores(scores), Forecaster(model)
    members = Segments(segments, aggregates, scores, journeys=journeys, forecast=forecaster, interpret=interpret)
    for rule in triggers.segment_triggers:
        if rule.segment not in members.names:
            msg = f"trigger {rule.name!r} watches segment {rule.segment!r}: declare it in segments.yaml"
            raise ValueError(msg)
    fingerprint = crc32(msgspec.msgpack.encode((aggregates, journeys, scores, triggers, segments, model)))
    context, score_thresholds = ActionContext(scorer, forecaster, journeys.carts), members.watch_bits.score_thresholds
    watcher = Triggers(triggers, context, zone.local, score_thresholds, strength)
    decisions = RuleDecider(Memberships(members), watcher, fingerprint)
    fit = TRAITS_CHANGED if _watches_fit(triggers, scorer) else 0
    # The segments' bits are shifted by one: bit 0 is TRAITS_CHANGED.
    changed_bits = _changed_bits(lambda *keys: members.watch_bits.bits_of_keys(keys) << 1, aggregates, scorer, fit)
    readers = tuple(AggregateReader(rule) for rule in aggregates.aggregates)
    journey = journey_bookings(journeys, zone, changed_bits)
    plan = Plan(
        aggregates.aggregates,
        scorer.counted,
        journey,
        zone,
        changed_bits,
        orders=journeys.orders,
        interpret=interpret,
    )
    ratios = ratio_readers(aggregates)
    return CompiledRules(
        plan, readers, Totals(readers), scorer, members, decisions, forecaster, ratios, journeys, fingerprint
    )


def _watches_fit(triggers: TriggerRules, scorer: Scores) -> bool:
    return any(rule.score in scorer.fit_names for rule in triggers.triggers)


def _changed_bits(of: Callable[..., int], aggregates: AggregateRules, scorer: Scores, fit: int) -> ChangedBits:
    """Returns the changed bits that each part of a touch sets; ``of`` maps booking keys to bits."""
    keys = {rule.key for rule in aggregates.aggregates} | {counted.key for counted in scorer.counted}
    return ChangedBits(
        {key: of(key) for key in keys},
        touch=of("touch"),
        traits=of("traits") | fit,
        consent=of("consent"),
        identifiers=of("identifiers"),
        cart=of("cart"),
    )
