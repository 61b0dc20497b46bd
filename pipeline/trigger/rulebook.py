"""All rules of PROFILE, compiled together: the one call that wires profile, score, segment and trigger."""

from collections.abc import Callable, Sequence
from zlib import crc32

import msgspec

from pipeline.profile.ledger import Ledger
from pipeline.profile.rulebook import Rulebook, rulebook
from pipeline.profile.rules import AggregateRules
from pipeline.score.rules import ScoreRules
from pipeline.score.scorer import Scores
from pipeline.trigger.action import Story
from pipeline.trigger.decide import Decisions
from pipeline.trigger.membership import Memberships
from pipeline.trigger.rules import TriggerRules
from pipeline.trigger.watch import Triggers


class _NoSegments:
    names = ()

    def evaluate(self, ledgers: Sequence[Ledger], as_of_ms: int, mask: int) -> dict[str, tuple[bool, int]]:  # noqa: ARG002
        return {}


def utc(ms: int) -> int:
    """The clock on the wall where there is no time zone."""
    return ms


def compile_rules(
    aggregates: AggregateRules, scores: ScoreRules, triggers: TriggerRules, *, local: Callable[[int], int] = utc
) -> Rulebook:
    """What :class:`pipeline.profile.logic.ProfileLogic` and :func:`pipeline.profile.view.profile_view` work by.

    Raises:
        ValueError: A trigger watches a score that no rule adds to.
    """
    scorer = Scores(scores)
    fingerprint = crc32(msgspec.msgpack.encode((scores, triggers)))
    decisions = Decisions(Memberships(_NoSegments()), Triggers(triggers, scorer, Story(scorer), local), fingerprint)
    return rulebook(aggregates.aggregates, scorer.counted, scorer, decisions)
