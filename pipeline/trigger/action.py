"""CRM actions, and the leads that carry them to ROUTE."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import product
from typing import Final, NamedTuple, TypeAlias

from pipeline.event.identifier import Identifier
from pipeline.profile.fold import campaign_of, contact_of, identifier_names, last_touch, timeline_of, traits_of
from pipeline.profile.journey.rules import CartRules
from pipeline.profile.ledger import Ledger
from pipeline.profile.ports import Score
from pipeline.profile.publish import cart_text, consent_text, segments_of
from pipeline.profile.records import ActionContribution, CrmAction, Lead, TimelineEntry
from pipeline.profile.row import ProfileRow
from pipeline.score.forecast import Forecaster
from pipeline.score.scorer import Scores
from pipeline.trigger.rules import SegmentTrigger, Trigger, TriggerRule

LEAD: Final = "lead"
DUPLICATE: Final = "duplicate_of"
ERASE: Final = "erase"
REACHED: Final = "reached"
FELL_BELOW: Final = "fell_below"
_RECENT: Final = 10
"""Timeline entries in an action."""

_Cause: TypeAlias = tuple[str, str, float]
"""(event, segment, threshold) of an action."""


class ActionContext(NamedTuple):
    """The readers that compute the fields of an action which are not stored in the ledgers."""

    scores: Scores
    forecast: Forecaster
    carts: CartRules | None = None


class Firing(NamedTuple):
    """One firing of a trigger."""

    rule: Trigger
    action_id: str
    episode: int
    """Number of the episode that the firing opened."""
    duplicate_of: str = ""
    """Action id of the lead that replaces this one; "" if the firing is itself a lead."""


def action_id(tenant: str, anchor: Identifier, trigger: str, episode: int) -> str:
    """Returns the idempotency key for the CRM: 32 hexadecimal digits, the same for the same firing in every replay.

    ``anchor`` is the anchor whose ledger stores the episode.
    """
    return sha256("\n".join((tenant, anchor, trigger, str(episode))).encode()).hexdigest()[:32]


def lead_of(profile_id: str, row: ProfileRow, firing: Firing, context: ActionContext, as_of_ms: int) -> Lead:
    """Returns the action of a firing, without an owner, and the profile's facts that only routing reads."""
    ledgers = row.ledgers()
    last = last_touch(ledgers)
    return Lead(
        row.tenant,
        _action_of(profile_id, row, firing, context, as_of_ms),
        {name: trait[3] for name, trait in traits_of(ledgers).items()},
        last[2] if last else "",
        campaign_of(last[5]) if last else "",
        segments_of(row),
    )


def erasures_of(profile_id: str, tenant: str, ledgers: Mapping[Identifier, Ledger], as_of_ms: int) -> Iterator[Lead]:
    """Yields an action for every lead that the ledgers may have opened. It names nothing but the lead."""
    for anchor, ledger in sorted(ledgers.items()):
        for trigger, episode in sorted(ledger.episodes.items()):
            named = {anchor, episode.anchor if ":" in episode.anchor else anchor}
            for name, number in product(sorted(named), range(1, episode.number + 1)):
                action = CrmAction(
                    action_id=action_id(tenant, name, trigger, number),
                    tenant=tenant,
                    profile_id=profile_id,
                    trigger=trigger,
                    episode=number,
                    kind=ERASE,
                    timestamp_ms=as_of_ms,
                )
                yield Lead(tenant, action)


def _action_of(profile_id: str, row: ProfileRow, firing: Firing, context: ActionContext, as_of_ms: int) -> CrmAction:
    rule, ledgers = firing.rule, row.ledgers()
    scores = {score.name: score for score in context.scores.read(ledgers, as_of_ms)}
    score = scores.get(rule.score, Score(rule.score, 0.0, ()))
    largest_first = sorted(score.contributions, key=lambda item: (-item.points, item.rule, item.group))
    event, segment, threshold = _cause(rule)
    return CrmAction(
        action_id=firing.action_id,
        tenant=row.tenant,
        profile_id=profile_id,
        trigger=rule.name,
        episode=firing.episode,
        kind=DUPLICATE if firing.duplicate_of else LEAD,
        duplicate_of=firing.duplicate_of,
        timestamp_ms=as_of_ms,
        score=score.value,
        threshold=threshold,
        contributions=[ActionContribution(*contribution) for contribution in largest_first],
        identifiers=identifier_names(ledgers),
        contact=contact_of(ledgers),
        consent=consent_text(ledgers),
        timeline=_timeline(ledgers),
        event=event,
        segment=segment,
        grade=context.scores.grade({name: score.value for name, score in scores.items()}),
        predictions=context.forecast.numbers(ledgers, as_of_ms),
        cart=cart_text(ledgers, context.carts, as_of_ms),
    )


def _timeline(ledgers: Sequence[Ledger]) -> list[TimelineEntry]:
    return [
        TimelineEntry(
            timestamp_ms=entry.timestamp_ms,
            channel=entry.channel,
            type=entry.type,
            name=entry.event,
            event_id=entry.event_id,
            summary=entry.summary(),
        )
        for entry in timeline_of(ledgers, _RECENT)
    ]


def _cause(rule: Trigger) -> _Cause:
    if isinstance(rule, SegmentTrigger):
        return rule.change, rule.segment, 0.0
    if isinstance(rule, TriggerRule) and rule.falling:
        return FELL_BELOW, "", float(rule.low)
    return REACHED, "", float(rule.high) if isinstance(rule, TriggerRule) else 0.0
