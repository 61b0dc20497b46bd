"""The input of a world: rules, events with their touches, and operators' decisions, all from one random generator."""

import random
from typing import Any, NamedTuple

import msgspec

from pipeline.event.duration import HOUR_MS, MINUTE_MS
from pipeline.event.identifier import key_of
from pipeline.event.model import Event
from pipeline.event.rules import IdentifierType, IntakeRules
from pipeline.identity.evidence import FirstSightings, links_of
from pipeline.identity.messages import Command, Link
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.profile.filter import Filter
from pipeline.profile.journey.rules import NO_JOURNEYS
from pipeline.profile.messages import Touch
from pipeline.profile.rules import AggregateRule, AggregateRules
from pipeline.route.rules import Rep, RoutingRules, Team
from pipeline.rules.model import Rules
from pipeline.score.rules import ScoreRule, ScoreRules
from pipeline.segment.rules import SegmentRule, SegmentRules
from pipeline.trigger.rules import SegmentTrigger, TriggerRule, TriggerRules
from tests.support.events import web_event, write

TENANT, START_MS = "default", 1_772_366_400_000
MAX_EVENTS = 30
KINDS = ("user_id", "email", "device_id", "anonymous_id")
"""Strongest first."""


class Message(NamedTuple):
    """An event as its producer sends it, perhaps under a wrong key."""

    key: str
    value: bytes
    at_ms: int = 0
    """Event time in milliseconds since the epoch; the world's clock is never before it."""


class History(NamedTuple):
    """All input of a world in sending order, and the touches and links expected from it."""

    sent: list[Message | Command]
    touches: list[Touch]
    """One touch per event, even if the event was sent twice."""
    links: list[Link]
    poison: list[bytes]
    """Sent records that are not events."""


def _kind(name: str, rank: int, **more: Any) -> IdentityType:
    return IdentityType(name=name, priority=10 * rank, strong=rank < 2, **more)


def _identities(*changes: dict[str, Any], **more: Any) -> IdentityRules:
    types = [_kind(name, rank, **change) for rank, (name, change) in enumerate(zip(KINDS, changes, strict=True))]
    return IdentityRules(types=types, **more)


ONE: dict[str, Any] = {"limits": ["1 ever"]}
IDENTITIES = (
    _identities({}, {}, {}, {}),
    _identities(ONE, {}, {}, {}, preset="last-authenticated-owns-device"),
    _identities(ONE, {}, {}, {}, preset="first-keeps"),
    _identities(ONE, {"firebreak_above": 1}, {"firebreak_above": 2}, {}, preset="never-merge-identified"),
)
AGGREGATES = AggregateRules(
    aggregates=(
        AggregateRule(name="events", windows=("1h", "lifetime")),
        AggregateRule(name="spent", kind="sum", field="amount", windows=("24h",)),
        AggregateRule(name="last_label", kind="last", field="properties.label"),
    )
)
SCORES = ScoreRules(
    scores=(
        ScoreRule(name="view", points=4, filter=Filter(events=("View",)), half_life_ms=4 * HOUR_MS),
        ScoreRule(name="buy", points=10, filter=Filter(events=("Buy",)), half_life_ms=4 * HOUR_MS),
    )
)
SEGMENTS = SegmentRules(segments=(SegmentRule(name="busy", when="events over 1 h >= 2"),))
TRIGGERS = TriggerRules(
    triggers=(TriggerRule(name="hot", high=14, low=6),),
    segment_triggers=(SegmentTrigger(name="quiet", segment="busy", change="exited"),),
)
"""Both can re-arm, and one can fire, by timers alone."""
ROUTING = RoutingRules(
    reps=(Rep(name="ann", capacity="2 per 1 h"), Rep(name="bob")),
    teams=(Team(name="all", reps=("ann", "bob")),),
    catch_all="all",
)


IDENTIFIERS = tuple(IdentifierType(name=name, priority=10 * rank) for rank, name in enumerate(KINDS))


def rules_of(identity: IdentityRules) -> Rules:
    """Returns a few rules, so that a world is cheap. Other tests cover the rules themselves."""
    return Rules(
        intake=IntakeRules(), identifiers=IDENTIFIERS, identity=identity,
        aggregates=AGGREGATES, journeys=NO_JOURNEYS, scores=SCORES, segments=SEGMENTS, triggers=TRIGGERS,
        routing=ROUTING,
    )  # fmt: skip


def history(chance: random.Random) -> History:
    """Returns 10 to 30 events of 6 to 12 identifiers, some late or repeated, and a few operators' decisions."""
    counts = [chance.randint(*bounds) for bounds in ((1, 3), (1, 2), (2, 3), (2, 4))]
    people = [[f"{kind}:{number}" for number in range(count)] for kind, count in zip(KINDS, counts, strict=True)]
    step_ms = chance.choice((MINUTE_MS, 20 * MINUTE_MS, HOUR_MS))
    count = chance.choice((10, 12, 14, 16, 20, MAX_EVENTS))
    events = [_event(chance, number, step_ms, people) for number in range(count)]
    messages = [_message(chance, event) for event in events]
    repeated = [message for message in messages if chance.random() < 0.2]
    poison = [b"not an event %d" % number for number in range(chance.randrange(3))]
    everyone = [ident for kind in people for ident in kind]
    sent: list[tuple[float, Message | Command]] = [
        *((at + 6 * chance.random(), message) for at, message in enumerate(messages)),
        *((len(messages) * chance.random(), message) for message in repeated),
        *((len(messages) * chance.random(), Message(f"{TENANT}/email:0", value)) for value in poison),
        *((len(messages) * chance.random(), decision) for decision in _decisions(chance, step_ms, everyone)),
    ]
    sent.sort(key=lambda item: item[0])
    return History(
        [item for _, item in sent],
        [_touch(event) for event in events],
        _links(events),
        poison,
    )


def _links(events: list[Event]) -> list[Link]:
    sightings = FirstSightings()
    for event in events:
        sightings.note(event)
    return sightings.with_first_sightings(link for event in events for link in links_of(event))


def _event(chance: random.Random, number: int, step_ms: int, people: list[list[str]]) -> Event:
    """Returns an event at a unique time, because STITCH may see two links of equal time in either order."""
    chosen = [chance.choice(kind) for kind in people if chance.random() < 0.45]
    bought = chance.random() < 0.25
    properties: dict[str, Any] = {"value_minor": chance.randint(1, 9999), "currency": "EUR"} if bought else {}
    return Event(
        tenant=TENANT,
        source="shop",
        message_id=f"m{number}",
        channel="web",
        type="alias" if chance.random() < 0.03 else "track",
        name="Buy" if bought else chance.choice(("View", "View", "Open")),
        timestamp_ms=START_MS + number * step_ms + chance.randrange(step_ms),
        identifiers=chosen or [chance.choice(chance.choice(people))],
        properties=properties | {"label": f"l{number}"},
        context={},
        traits={"city": f"c{number % 3}"} if chance.random() < 0.3 else {},
        amount_minor=properties.get("value_minor", 0),
        currency=properties.get("currency", ""),
    )


def _message(chance: random.Random, event: Event) -> Message:
    """Returns the event keyed by its anchor, or sometimes by another identifier, as some producers do."""
    ident = chance.choice(event.identifiers) if chance.random() < 0.1 else event.identifiers[0]
    record = web_event(
        event.message_id, event.identifiers, event.timestamp_ms, type=event.type, event=event.name,
        properties=msgspec.json.encode(event.properties).decode(), traits=msgspec.json.encode(event.traits).decode(),
    )  # fmt: skip
    return Message(key_of(TENANT, ident), write(record), event.timestamp_ms)


def _touch(event: Event) -> Touch:
    return Touch(
        TENANT, event.identifiers[0], event.event_id, event.timestamp_ms, event.channel, event.type, event.name,
        event.identifiers, event.properties, event.context, event.traits, event.amount_minor, event.currency,
    )  # fmt: skip


def _decisions(chance: random.Random, step_ms: int, everyone: list[str]) -> list[Command]:
    """Returns decisions about few identifiers, so that ledgers move back and forth."""
    pair = chance.sample(everyone, 2)
    result = []
    for _ in range(chance.choice((0, 1, 2, 6))):
        kind = chance.choice(("link", "link", "unlink", "unlink", "suppress", "release"))
        a, b = pair if chance.random() < 0.7 else chance.sample(everyone, 2)
        at_ms = START_MS + chance.randrange(MAX_EVENTS * step_ms)
        result.append(Command(TENANT, kind, a, b if kind in {"link", "unlink"} else "", "ada", "because", at_ms))
    return result
