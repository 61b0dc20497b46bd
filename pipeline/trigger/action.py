"""CRM actions: what a rep is told, as the record of the CRM-sink topic."""

from hashlib import sha256
from typing import Any, Final, NamedTuple

from pipeline.event.identifier import Identifier
from pipeline.profile.fold import contact_of, identifier_names, timeline_of
from pipeline.profile.journey.rules import CartRules
from pipeline.profile.ports import Score
from pipeline.profile.publish import cart_text, consent_text, segments_of
from pipeline.profile.row import ProfileRow
from pipeline.score.forecast import Forecaster
from pipeline.score.scorer import Scores
from pipeline.trigger.messages import FACTS, facts_of
from pipeline.trigger.rules import SegmentTrigger, Trigger, TriggerRule

LEAD: Final = "lead"
DUPLICATE: Final = "duplicate_of"
REACHED: Final = "reached"
FELL_BELOW: Final = "fell_below"
_RECENT: Final = 10
"""Lines of the timeline in an action."""


class Story(NamedTuple):
    """Where an action takes what it tells beyond the ledgers' own facts."""

    scores: Scores
    forecast: Forecaster
    carts: CartRules | None = None


def action_id(tenant: str, leaf: Identifier, trigger: str, episode: int) -> str:
    """32 hexadecimal digits that the same firing always has: the idempotency key at the CRM.

    The leaf is the one whose ledger keeps the episode: the profile's founder wherever that has a ledger.
    """
    return sha256("\n".join((tenant, leaf, trigger, str(episode))).encode()).hexdigest()[:32]


def action_of(profile_id: str, row: ProfileRow, rule: Trigger, story: Story, as_of_ms: int) -> dict[str, Any]:
    """What every action of a trigger tells: contact, score with contributions, timeline, consent, cart, what happened.

    Which firing it is about (``action_id``, ``episode``, ``kind``, ``duplicate_of``) is for the caller to fill in; who
    should call (``owner``, ``owner_reason``) and which word on the firing it is (``revision``) for ROUTE, which is
    given some facts about the customer to decide by.
    """
    ledgers = row.ledgers()
    scores = {score.name: score for score in story.scores.read(ledgers, as_of_ms)}
    score = scores.get(rule.score, Score(rule.score, 0.0, ()))
    largest_first = sorted(score.contributions, key=lambda each: (-each.points, each.rule, each.group))
    return {
        "action_id": "",
        "tenant": row.tenant,
        "profile_id": profile_id,
        "trigger": rule.name,
        "episode": 0,
        "revision": 1,
        "kind": LEAD,
        "duplicate_of": "",
        "timestamp_ms": as_of_ms,
        **_happened(rule),
        "score": score.value,
        "grade": story.scores.grade({name: each.value for name, each in scores.items()}),
        "predictions": story.forecast.numbers(ledgers, as_of_ms),
        "contributions": [
            {"rule": name, "group": group, "points": points, "occurrences": occurrences}
            for name, group, points, occurrences in largest_first
        ],
        "identifiers": identifier_names(ledgers),
        "contact": contact_of(ledgers),
        "consent": consent_text(ledgers),
        "timeline": [
            {
                "timestamp_ms": entry.timestamp_ms,
                "event_id": entry.event_id,
                "channel": entry.channel,
                "type": entry.type,
                "name": entry.event,
                "summary": entry.summary(),
            }
            for entry in timeline_of(ledgers, _RECENT)
        ],
        "owner": "",
        "owner_reason": "",
        "cart": cart_text(ledgers, story.carts, as_of_ms),
        FACTS: facts_of(ledgers, segments_of(row)),
    }


def _happened(rule: Trigger) -> dict[str, Any]:
    """What fired, in three fields."""
    if isinstance(rule, SegmentTrigger):
        return {"event": rule.change, "segment": rule.segment, "threshold": 0.0}
    if isinstance(rule, TriggerRule) and rule.falling:
        return {"event": FELL_BELOW, "segment": "", "threshold": float(rule.low)}
    return {"event": REACHED, "segment": "", "threshold": float(rule.high) if isinstance(rule, TriggerRule) else 0.0}
