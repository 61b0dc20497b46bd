"""Worlds with erasures, and what must be left of them: computed from the input and the published marks alone."""

import random
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from hashlib import blake2b

import msgspec

from pipeline.event.erasure import Marking
from pipeline.identity.messages import Command
from pipeline.identity.profile_id import profile_id
from pipeline.profile.apply import apply_touch
from pipeline.profile.ledger import Ledger, encode_ledger
from pipeline.profile.messages import Touch
from pipeline.profile.row import ProfileRow
from pipeline.state import layout
from pipeline.topics import ACTIONS, ASSIGNMENTS, MARKS, RECEIPTS, UPDATES, StageName, Topic
from tests.simulation.histories import TENANT, Message
from tests.simulation.oracle import (
    ACTION,
    ASSIGNMENT,
    COMPILED,
    PROFILE_ROW,
    changelog,
    check_consumed,
    check_everything_was_read,
    check_stores,
    rows_of,
)
from tests.simulation.process import PREFIX
from tests.simulation.world import FaultProfile, World

MARKING = msgspec.msgpack.Decoder(Marking).decode
RECEIPT = msgspec.msgpack.Decoder(list).decode
EVERY_PARTITION = (StageName.INTAKE, StageName.PROFILE)
ONE_PARTITION = (StageName.STITCH, StageName.ROUTE)


class ErasureWorld(World):
    """A world in which one to three customers are erased while their events, links and ledgers are on their way."""

    def __init__(self, seed: int, faults: FaultProfile) -> None:
        super().__init__(seed, faults)
        sent = _with_erasures(random.Random(f"erasures {seed}"), self.history.sent)
        self.history = self.history._replace(sent=sent)
        self._waiting_events = list(reversed(sent))


def _with_erasures(chance: random.Random, sent: list[Message | Command]) -> list[Message | Command]:
    """Adds erasures behind any message, as of the newest event time until then, or of an earlier one.

    Of the second kind are those whose later events are on their way already.
    """
    result = list(sent)
    for number in range(chance.choice((1, 1, 2, 3))):
        place = chance.randrange(len(result) // 3, len(result))
        times = [_time_of(item) for item in result[: place + 1]]
        at_ms = max(times) if chance.random() < 0.5 else chance.choice(times)
        idents = [ident for item in result for ident in _identifiers(item)]
        command = Command(TENANT, "erase", chance.choice(idents), "", "ada", "asked to", at_ms, f"erase-{number}")
        result.insert(place + 1, command)
    return result


def _time_of(item: Message | Command) -> int:
    return item.at_ms if isinstance(item, Message) else item.timestamp_ms


def _identifiers(item: Message | Command) -> Iterator[str]:
    if isinstance(item, Message):
        yield item.key.partition("/")[2]


def check_erasures(world: World) -> None:
    """Fails on everything that an erasure left behind, and on everything that it took from others."""
    erased_ms = erasures(world)
    back = {
        ident for touch in _all(world) for ident in touch.identifiers if touch.timestamp_ms > erased_ms.get(ident, 0)
    }
    gone = erased_ms.keys() - back - _decided_later(world)
    check_everything_was_read(world)
    check_consumed(world)
    check_stores(world)
    _check_receipts(world)
    profiles = rows_of(world, "profile", layout.PROFILES, PROFILE_ROW)
    _check_ledgers(world, profiles, erased_ms)
    _check_owners(world, profiles)
    _check_nothing_left(world, gone)
    _check_leads(world, gone)


def erasures(world: World) -> dict[str, int]:
    """Returns each erased identifier with the time of its last erasure, by the digests on the marks topic."""
    everyone = {ident for touch in _all(world) for ident in touch.identifiers}
    everyone |= {ident for item in world.history.sent for ident in _identifiers(item)}
    names = {blake2b(f"{TENANT}/{ident}".encode(), digest_size=16).digest(): ident for ident in everyone}
    result: dict[str, int] = {}
    for record in world.kafka.committed(MARKS.of(PREFIX)):
        marking = MARKING(record.value())
        for digest in (*marking.people, *marking.others):
            if digest in names:
                result[names[digest]] = max(result.get(names[digest], 0), marking.at_ms)
    return result


def _all(world: World) -> list[Touch]:
    return world.history.touches


def _decided_later(world: World) -> set[str]:
    """Returns the identifiers that an operator's decision after the first erasure names again."""
    commands = [item for item in world.history.sent if isinstance(item, Command)]
    first = next(place for place, command in enumerate(commands) if command.kind == "erase")
    return {ident for command in commands[first:] if command.kind != "erase" for ident in (command.a, command.b)}


def _check_receipts(world: World) -> None:
    written = {record.key().decode() for record in world.kafka.committed(RECEIPTS.of(PREFIX))}
    sent = {item.event_id for item in world.history.sent if isinstance(item, Command) and item.kind == "erase"}
    for request in sent:
        of_stage = {
            stage: [key for key in written if key.startswith(f"{TENANT}/{request}/{stage}/")] for stage in StageName
        }
        assert all(len(of_stage[stage]) == world.kafka.partitions for stage in EVERY_PARTITION), of_stage
        assert all(len(of_stage[stage]) == 1 for stage in ONE_PARTITION), of_stage


def _booked(touches: list[Touch]) -> bytes:
    ledger = Ledger()
    for touch in touches:
        apply_touch(COMPILED.plan, ledger, touch)
    return _comparable(ledger)


def _comparable(ledger: Ledger) -> bytes:
    """Returns the part of a ledger that its anchor's events alone determine."""
    return encode_ledger(msgspec.structs.replace(ledger, episodes={}, owned={}, identifiers={}))


def _check_ledgers(world: World, profiles: dict[str, ProfileRow], erased_ms: dict[str, int]) -> None:
    """Checks that others' ledgers are complete, and that erased ones hold nothing but later events."""
    found: dict[str, list[Ledger]] = {}
    for row in profiles.values():
        for anchor, ledger in row.anchors.items():
            found.setdefault(anchor, []).append(ledger)
    assert all(len(ledgers) == 1 for ledgers in found.values()), "a ledger in two profiles"
    of_anchor: dict[str, list[Touch]] = {}
    for touch in _all(world):
        of_anchor.setdefault(touch.anchor, []).append(touch)
    for anchor, touches in of_anchor.items():
        if anchor not in erased_ms:
            assert _comparable(found[anchor][0]) == _booked(touches), f"the ledger of {anchor}"
        elif anchor in found:
            (ledger,) = found[anchor]
            later = [touch for touch in touches if touch.timestamp_ms > erased_ms[anchor]]
            assert ledger.touches <= len(later)
            assert ledger.first is not None
            assert ledger.first[0] > erased_ms[anchor], f"{anchor} was not erased"


def _check_owners(world: World, profiles: dict[str, ProfileRow]) -> None:
    """Checks that each ledger is in the profile of its anchor's last assignment, or in the anchor's own."""
    owner = {key.partition("/")[2]: ASSIGNMENT(value).profile_id for key, value in newest(world, ASSIGNMENTS).items()}
    for profile, row in profiles.items():
        for anchor in row.anchors:
            assert owner.get(anchor, profile_id(TENANT, anchor)) == profile, f"{anchor} is in {profile}"


def _check_nothing_left(world: World, gone: AbstractSet[str]) -> None:
    """Checks that no row of state and no newest value of a compacted topic names an erased identifier."""
    rows = {
        f"{stage} {family} {key!r}": key + value
        for stage in StageName
        for partition in range(world.kafka.partitions)
        for (family, key), value in changelog(world, stage, partition, 1 << 62).items()
    }
    rows |= {f"{ASSIGNMENTS.name} {key}": key.encode() + value for key, value in newest(world, ASSIGNMENTS).items()}
    rows |= {f"{UPDATES.name} {key}": value for key, value in newest(world, UPDATES).items()}
    for ident in gone:
        left = [name for name, content in rows.items() if ident.encode() in content]
        assert not left, f"{ident} is left in {left}"


def newest(world: World, topic: Topic) -> dict[str, bytes]:
    """Returns the newest value of each key of a compacted topic."""
    result: dict[str, bytes] = {}
    for partition in world.kafka.topic(topic.of(PREFIX)):
        for record in partition.all_committed():
            key = record.key().decode()
            if key.startswith("\0"):
                continue
            if record.value() is None:
                result.pop(key, None)
            else:
                result[key] = record.value()
    return result


def _check_leads(world: World, gone: AbstractSet[str]) -> None:
    """Checks that the last action about each lead of erased customers erases it."""
    actions: dict[str, dict[int, str]] = {}
    names: dict[str, set[str]] = {}
    for record in world.kafka.committed(ACTIONS.of(PREFIX)):
        action = ACTION(record.value())
        actions.setdefault(action["action_id"], {})[action["revision"]] = action["kind"]
        names.setdefault(action["action_id"], set()).update(action["identifiers"])
    for action_id, idents in names.items():
        if idents and idents <= gone:
            last = actions[action_id][max(actions[action_id])]
            assert last == "erase", f"the last word about lead {action_id} is {last}"
