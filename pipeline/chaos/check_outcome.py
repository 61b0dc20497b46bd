"""Compares profiles, owners and actions on Kafka with those of ``simulate``."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from pipeline.avro.wire import Decoder
from pipeline.chaos.comparison import Comparison, comparison
from pipeline.chaos.day import AS_OF_MS
from pipeline.chaos.outcome import Outcome, open_leads, owners_of
from pipeline.chaos.topics_read import records
from pipeline.event.identifier import key_of
from pipeline.export.files import json_line
from pipeline.identity.messages import Assignment
from pipeline.identity.profile_id import profile_id
from pipeline.kafka.reading import silent
from pipeline.query.profiles import export_profiles, profile_rows, profile_snapshot
from pipeline.rules.compiled import compiled
from pipeline.rules.model import Rules
from pipeline.settings import Settings
from pipeline.topics import ACTIONS, ASSIGNMENTS

TENANT = "default"
MAX_VALUE = 160


def kafka_outcome(settings: Settings, rules: Rules) -> Outcome:
    """Returns what the workers made of the input, from the changelog of PROFILE and the actions topic."""
    rows = profile_rows(profile_snapshot(settings, silent).rows)
    profiles = {view["profile_id"]: json_line(view) for view in export_profiles(rows, compiled(rules), AS_OF_MS)}
    decode = Decoder(ACTIONS.value)
    actions = [decode(record.value()) for record in records(settings, ACTIONS)]
    return Outcome(profiles, actions, owners_of(profiles))


def check_profiles(ours: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> Comparison:
    """The same profiles by the same ids, to the last byte."""
    return comparison("profiles on Kafka and of simulate", len(ours), _profiles(ours, theirs))


def check_actions(ours: Outcome, theirs: Outcome) -> Comparison:
    """No revision of an action twice, and the same open leads."""
    return comparison("actions on Kafka and of simulate", len(ours.actions), _actions(ours, theirs))


def check_owners(settings: Settings, owners: Mapping[str, str]) -> Comparison:
    """Every identifier is assigned to the profile in which ``simulate`` puts it."""
    decode = msgspec.msgpack.Decoder(Assignment).decode
    newest: dict[str, Assignment] = {}
    for record in records(settings, ASSIGNMENTS):
        key, assignment = (record.key() or b"").decode(), decode(record.value() or b"")
        newest[key] = max(assignment, newest.get(key, assignment), key=lambda each: each.seq)
    assigned = {key: assignment.profile_id for key, assignment in newest.items()}
    return comparison("owners of identifiers", len(owners), _owners(assigned, owners))


def _profiles(ours: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> Iterator[str]:
    yield from (f"missing: profile {name}" for name in sorted(theirs.keys() - ours.keys()))
    yield from (f"too many: profile {name}" for name in sorted(ours.keys() - theirs.keys()))
    for name in sorted(ours.keys() & theirs.keys()):
        if ours[name] != theirs[name]:
            yield f"different: profile {name}: {'; '.join(_fields(ours[name], theirs[name]))}"


def _fields(ours: bytes, theirs: bytes) -> Iterator[str]:
    mine, other = (msgspec.json.decode(line) for line in (ours, theirs))
    for field in mine:
        if mine[field] != other.get(field):
            yield f"{field}: Kafka {_short(mine[field])}, simulate {_short(other.get(field))}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"


def _actions(ours: Outcome, theirs: Outcome) -> Iterator[str]:
    times = Counter((action["action_id"], action["revision"]) for action in ours.actions)
    yield from (
        f"doubled: action {name} revision {number}: {count} times"
        for (name, number), count in times.items()
        if count > 1
    )
    mine, other = open_leads(ours.actions, ours.owners), open_leads(theirs.actions, theirs.owners)
    yield from (
        f"missing: lead of {customer} by {trigger}, {count} times"
        for (customer, trigger), count in (other - mine).items()
    )
    yield from (
        f"too many: lead of {customer} by {trigger}, {count} times"
        for (customer, trigger), count in (mine - other).items()
    )


def _owners(assigned: Mapping[str, str], owners: Mapping[str, str]) -> Iterator[str]:
    for ident, expected in owners.items():
        actual = assigned.get(key_of(TENANT, ident), profile_id(TENANT, ident))
        if actual != expected:
            yield f"different: {ident} is assigned to {actual}, simulate says {expected}"
