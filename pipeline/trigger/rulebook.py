"""All rules of PROFILE, compiled together: the one call that wires profile, score and trigger."""

from zlib import crc32

import msgspec

from pipeline.event.zone import UTC, Zone
from pipeline.profile.journey.rules import NO_JOURNEYS, JourneyRules
from pipeline.profile.rulebook import Rulebook, rulebook
from pipeline.profile.rules import AggregateRules
from pipeline.score.rules import ScoreRules
from pipeline.score.scorer import Scores
from pipeline.trigger.rules import TriggerRules
from pipeline.trigger.watch import Triggers


def compile_rules(
    aggregates: AggregateRules,
    scores: ScoreRules,
    triggers: TriggerRules,
    journeys: JourneyRules = NO_JOURNEYS,
    zone: Zone = UTC,
) -> Rulebook:
    """What :class:`pipeline.profile.logic.ProfileLogic` and :func:`pipeline.profile.view.profile_view` work by.

    ``zone`` is that of the aggregates' ``time_zone``; :func:`pipeline.rules.compiled.compiled` finds it by its name.

    Raises:
        ValueError: A trigger watches a score that no rule adds to.
    """
    scorer = Scores(scores)
    fingerprint = crc32(msgspec.msgpack.encode((scores, triggers)))
    return rulebook(
        aggregates, scorer.counted, scorer, Triggers(triggers, scorer, fingerprint), journeys=journeys, zone=zone
    )
