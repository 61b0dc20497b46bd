"""The input: a seeded shop day as records, and its truth by ``simulate``."""

from collections.abc import Iterator
from typing import Final

import msgspec

from connectors.sources.outgoing import EventEncoder, Outgoing
from pipeline.avro.registry import FileIds
from pipeline.avro.wire import Decoder
from pipeline.chaos.outcome import Outcome, owners_of
from pipeline.demo.shop import shop_day
from pipeline.errors import OperatorError
from pipeline.event.parse import Defaults
from pipeline.export.files import json_line
from pipeline.query.profiles import export_profiles
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.rules.model import Rules
from pipeline.settings import Settings
from pipeline.simulate.simulation import Simulation
from pipeline.topics import ACTIONS, DLQ, UPDATES

DAY_ENDS_MS: Final = 1_782_909_000_000
"""In the past, so that no clock step makes an event one from the future. A constant, so that a seed can be replayed."""
AS_OF_MS: Final = DAY_ENDS_MS + 86_400_000
EVENTS_PER_PERSON: Final = 20
CHUNK: Final = 5_000


class InputError(OperatorError):
    """The rules in force refuse events of the shop day. Operator action: run with the shipped rules."""


class Sent(msgspec.Struct, frozen=True):
    """One event of the input."""

    message_id: str
    record: Outgoing


def day_of(settings: Settings, rules: Rules, seed: int, events: int) -> list[Sent]:
    """Returns the day's events in order of time.

    Raises:
        InputError: the rules refuse an event.
    """
    encode = EventEncoder(rules.intake, rules.identifiers, FileIds(), settings.topic_prefix, Defaults())
    people = max(1, events // EVENTS_PER_PERSON)
    result = []
    for event in shop_day(DAY_ENDS_MS, seed=seed, people=people, events=events).events:
        record = encode(event)
        if not isinstance(record, Outgoing):
            message = f"the rules refuse an event of the shop day ({record.reason}): run with the shipped rules"
            raise InputError(message)
        result.append(Sent(event["messageId"], record))
    return result


def simulated(settings: Settings, rules: Rules, day: list[Sent]) -> Outcome:
    """Returns what ``stitchline simulate`` makes of the day."""
    simulation = Simulation(settings, rules, lambda: AS_OF_MS)
    decode = Decoder(ACTIONS.value)
    for chunk in _chunks(day):
        for sent in chunk:
            simulation.feed(sent.record.topic, sent.record.key, sent.record.value)
        simulation.process()
        simulation.take(UPDATES)
    simulation.settle()
    if simulation.take(DLQ):
        message = "the rules quarantine events of the shop day: run with the shipped rules"
        raise InputError(message)
    simulation.advance(simulation.newest_ms())
    actions = [decode(record.value()) for record in simulation.take(ACTIONS)]
    views = export_profiles(simulation.profiles(), compiled(rules), AS_OF_MS)
    profiles = {view["profile_id"]: json_line(view) for view in views}
    return Outcome(profiles, actions, owners_of(profiles))


def rules_of(settings: Settings) -> Rules:
    """Returns the rules in force."""
    return load_rules(settings.rules_dir)


def _chunks(day: list[Sent]) -> Iterator[list[Sent]]:
    for start in range(0, len(day), CHUNK):
        yield day[start : start + CHUNK]
