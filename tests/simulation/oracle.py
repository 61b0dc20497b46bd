"""The expected final state of a world, computed from its history alone: each event once, in the right profile."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from pipeline.avro.wire import Decoder
from pipeline.event.anchor import AnchorRow
from pipeline.event.identifier import key_of
from pipeline.identity.decisions import decide
from pipeline.identity.messages import Assignment, Command
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import resolve
from pipeline.kafka.partitioner import partition_of
from pipeline.profile.apply import apply_touch
from pipeline.profile.ledger import Ledger, encode_ledger
from pipeline.profile.messages import Carry, IdentifierOwnership, Move, Touch
from pipeline.profile.publish import segments_of
from pipeline.profile.records import Lead
from pipeline.profile.row import ACTIVE, FOREVER, ProfileRow
from pipeline.rules.compiled import compiled
from pipeline.state import layout
from pipeline.state.timers import DUE_BYTES
from pipeline.stream.watermark import KEY_PREFIX
from pipeline.testing.log import MemoryRecord
from pipeline.topics import (
    ACTIONS,
    ASSIGNMENTS,
    CHANGELOGS,
    CHANGES,
    DLQ,
    LEADS,
    SEGMENTS,
    TOUCHES,
    UPDATES,
    Topic,
)
from pipeline.trigger.action import LEAD as LEAD_KIND
from tests.simulation.disk import DiskStore
from tests.simulation.histories import TENANT
from tests.simulation.lead_oracle import check_leads
from tests.simulation.process import GROUP, PREFIX, READERS, STAGES
from tests.simulation.reference_run import MESSAGE, reference_run
from tests.simulation.world import ENCODE, RULES, World

COMPILED = compiled(RULES[0])
CHANGE, ACTION, UPDATE = Decoder(CHANGES.value), Decoder(ACTIONS.value), Decoder(UPDATES.value)
LEAD = msgspec.msgpack.Decoder(Lead).decode
ASSIGNMENT = msgspec.msgpack.Decoder(Assignment).decode
PROFILE_ROW, ANCHOR_ROW = msgspec.msgpack.Decoder(ProfileRow).decode, msgspec.msgpack.Decoder(AnchorRow).decode

Rows = dict[tuple[str, bytes], bytes]
"""Family and key to the row's bytes."""


def check(world: World) -> None:
    """Fails on every record that was lost, doubled or left behind."""
    owner = owners(world)
    profiles = rows_of(world, "profile", layout.PROFILES, PROFILE_ROW)
    check_everything_was_read(world)
    check_consumed(world)
    check_lag(world)
    check_stores(world)
    check_ledgers(world, owner, profiles)
    check_identifiers(owner, profiles)
    check_touches(world)
    check_assignments(world, owner)
    check_changes(world)
    check_updates(world, profiles)
    check_current_ids(world, profiles)
    check_decision_order(world)
    check_decisions(world)
    check_actions(world)
    check_leads(profiles.values(), last_words(world))
    check_time(world, profiles)
    check_quarantine(world)


def sent_on(world: World, topic: Topic) -> list[Any]:
    """Returns the committed records of an internal topic but watermarks, partition by partition."""
    records = world.kafka.committed(topic.of(PREFIX))
    return [record for record in records if not (record.key() or b"").startswith(KEY_PREFIX)]


def owners(world: World) -> dict[str, str]:
    """Returns each identifier's profile, by the pure function over all input."""
    commands = [item for item in world.history.sent if isinstance(item, Command)]
    policy = IdentityPolicy(world.rules.identity)
    resolution = resolve(world.history.links, policy, decide(commands, policy))
    anchors = {touch.anchor: touch.anchor for touch in world.history.touches}
    return {ident: profile_id(TENANT, founder) for ident, founder in (anchors | resolution.founder_of).items()}


def in_order(touches: list[Touch]) -> dict[str, bytes]:
    """Returns each anchor's ledger, folded in event order."""
    result: dict[str, Ledger] = {}
    for touch in touches:
        apply_touch(COMPILED.plan, result.setdefault(touch.anchor, Ledger()), touch)
    return {anchor: of_touches(ledger) for anchor, ledger in result.items()}


def of_touches(ledger: Ledger) -> bytes:
    """Returns the part of a ledger that touches alone determine, not the order of their arrival."""
    return encode_ledger(msgspec.structs.replace(ledger, episodes={}, owned={}))


def check_ledgers(world: World, owner: dict[str, str], profiles: dict[str, ProfileRow]) -> None:
    """Checks that every event is in its anchor's ledger, and that this ledger is in the owner's row, byte-identical."""
    current: dict[str, list[tuple[str, bytes]]] = {}
    for profile, row in profiles.items():
        for anchor, ledger in row.anchors.items():
            current.setdefault(anchor, []).append((profile, of_touches(ledger)))
    expected = in_order(world.history.touches)
    places = {anchor: [profile for profile, _ in result] for anchor, result in current.items()}
    assert places == {anchor: [owner[anchor]] for anchor in expected}
    for anchor, ledger in expected.items():
        assert current[anchor] == [(owner[anchor], ledger)], f"the ledger of {anchor}"


def check_identifiers(owner: dict[str, str], profiles: dict[str, ProfileRow]) -> None:
    """Checks that each ledger lists its customer's identifiers, and that no row awaits an ownership."""
    anchors = {anchor for row in profiles.values() for anchor in row.anchors}
    for profile, row in profiles.items():
        assert not row.ownership.awaited.keys() & anchors, f"decisions for ledgers that are not at {profile}"
        for anchor, ledger in row.anchors.items():
            own = {ident for ident in ledger.identifiers if owner.get(ident, profile_id(TENANT, ident)) == profile}
            assert ledger.own_identifiers().keys() == own, f"the identifiers of {anchor}"


def check_touches(world: World) -> None:
    """Checks that INTAKE sent one touch per event, and STITCH each move to its source and to a profile it founded.

    A target that awaits a move receives it too.
    """
    touches: Counter[str] = Counter()
    shown: dict[tuple[int, str, str], list[str]] = {}
    moves: dict[tuple[int, str, str], Move] = {}
    for record in sent_on(world, TOUCHES):
        message = MESSAGE(record.value())
        if isinstance(message, Touch) and not message.seq:
            touches[message.event_id] += 1
        elif isinstance(message, Move):
            way = message.seq, message.source, message.target
            shown.setdefault(way, []).append(record.key().decode())
            moves[way] = message
    assert touches == Counter(touch.event_id for touch in world.history.touches)
    for way, move in moves.items():
        home = move.awaited or move.target in {profile_id(move.tenant, anchor) for anchor in move.anchors}
        assert sorted(shown[way]) == sorted({move.source, move.target} if home else {move.source})


def check_assignments(world: World, owner: dict[str, str]) -> None:
    """Checks that STITCH's last assignment of each identifier names its owner, and that INTAKE has applied it."""
    last: dict[bytes, Assignment] = {}
    for record in sent_on(world, ASSIGNMENTS):
        value = ASSIGNMENT(record.value())
        if record.key() not in last or value.seq > last[record.key()].seq:
            last[record.key()] = value
    anchors = rows_of(world, "intake", layout.ANCHORS, ANCHOR_ROW)
    for ident, profile in owner.items():
        key = key_of(TENANT, ident)
        value = last.get(key.encode())
        assert (value.profile_id if value else profile_id(TENANT, ident)) == profile, f"the assignment of {ident}"
        heard = anchors[key].profile_id if key in anchors else None
        assert heard == (value.profile_id if value else None), f"what INTAKE knows of {ident}"


def check_changes(world: World) -> None:
    """Checks that numbers rise by one per decision. Changes of contests or of ownership alone have no log entry."""
    lines = [[CHANGE(record.value())["seq"] for record in result] for result in by_partition(world, CHANGES)]
    assert all(line == sorted(line) for line in lines)
    numbers = [number for line in lines for number in line]
    assigned = {ASSIGNMENT(record.value()).seq for record in sent_on(world, ASSIGNMENTS)}
    messages = [MESSAGE(record.value()) for record in sent_on(world, TOUCHES)]
    assigned |= {message.decided for message in messages if isinstance(message, IdentifierOwnership)}
    assert len(numbers) == len(set(numbers))
    assert {*numbers, *assigned} == set(range(1, 1 + max({*numbers, *assigned}, default=0)))


def check_updates(world: World, profiles: dict[str, ProfileRow]) -> None:
    """Checks that each profile has as many updates as its revision."""
    published = Counter(record.key().decode() for record in world.kafka.committed(UPDATES.of(PREFIX)))
    assert published == Counter(
        {profile: row.published.version for profile, row in profiles.items() if row.published.version}
    )


def check_current_ids(world: World, profiles: dict[str, ProfileRow]) -> None:
    """Checks that exactly the profiles with ledgers are active, and that merged profiles lead to an active one."""
    last = {record.key().decode(): UPDATE(record.value()) for record in world.kafka.committed(UPDATES.of(PREFIX))}
    active = {profile for profile, update in last.items() if update["status"] == ACTIVE}
    assert active == {profile for profile, row in profiles.items() if row.anchors}
    for profile in last:
        way = [profile]
        while way[-1] not in active:
            assert way[-1] in last, f"{way} ends at a profile that was never published"
            way.append(last[way[-1]]["merged_into"])
            assert len(way) == len(set(way)), f"{way} is a circle"


def check_decisions(world: World) -> None:
    """Checks that leads, segment changes and forwarded messages equal those of the reference run, byte for byte."""
    output = reference_run(COMPILED, world.batches, world.now_ms)
    forwards: Counter[tuple[str, bytes]] = Counter()
    for record in sent_on(world, TOUCHES):
        message = MESSAGE(record.value())
        passed_on = isinstance(message, Carry) or (isinstance(message, Touch) and message.seq)
        if passed_on or (isinstance(message, IdentifierOwnership) and message.seq != message.decided):
            forwards[record.key().decode(), record.value()] += 1
    assert forwards == output.forwards
    assert Counter(record.value() for record in world.kafka.committed(SEGMENTS.of(PREFIX))) == output.segment_changes
    assert Counter(record.value() for record in sent_on(world, LEADS)) == output.leads


def check_decision_order(world: World) -> None:
    """Checks that committed transactions take in each record once, in log order, and apply each message once."""
    for partition in world.kafka.topic(TOUCHES.of(PREFIX)):
        batches = [batch for batch in world.batches if batch.partition == partition.number]
        taken = [offset for batch in batches for offset in batch.offsets]
        records = list(partition.all_committed())
        assert taken == [record.offset() for record in records]
        applied = Counter((key.encode(), ENCODE(message)) for batch in batches for key, message in batch.messages)
        assert applied == Counter(
            (record.key(), ENCODE(MESSAGE(record.value())))
            for record in records
            if not record.key().startswith(KEY_PREFIX)
        )


def check_actions(world: World) -> None:
    """Checks that every new state of a lead became one action, with its revision and an owner."""
    sent: dict[str, list[str]] = {}
    for record in sent_on(world, LEADS):
        action = LEAD(record.value()).action
        words = sent.setdefault(action.action_id, [])
        if not words or words[-1] != action.duplicate_of:
            words.append(action.duplicate_of)
    result = [ACTION(record.value()) for record in world.kafka.committed(ACTIONS.of(PREFIX))]
    output = {(action["action_id"], action["revision"]): action["duplicate_of"] for action in result}
    assert output == {(name, number): word for name, words in sent.items() for number, word in enumerate(words, 1)}
    assert len(output) == len(result)
    assert all(action["owner"] and action["owner_reason"] for action in result if action["kind"] == LEAD_KIND)


def last_words(world: World) -> dict[str, str]:
    """Returns action id → the action id that it duplicates by the last published record."""
    result = [ACTION(record.value()) for record in world.kafka.committed(ACTIONS.of(PREFIX))]
    return {item["action_id"]: item["duplicate_of"] for item in sorted(result, key=lambda item: item["revision"])}


def check_time(world: World, profiles: dict[str, ProfileRow]) -> None:
    """Checks that profiles with due times have timers, and that segments match the ledgers at this time."""
    timers = {
        (int.from_bytes(key[:DUE_BYTES]), key[DUE_BYTES:].decode())
        for partition in range(world.kafka.partitions)
        for family, key in changelog(world, "profile", partition, 1 << 62)
        if family == layout.TIMERS
    }
    for profile, row in profiles.items():
        if row.anchors:
            assert row.schedule.timer_ms > world.now_ms or not row.schedule.timer_ms
            assert row.schedule.due_ms >= FOREVER or 0 < row.schedule.timer_ms <= row.schedule.due_ms
            assert not row.schedule.timer_ms or (row.schedule.timer_ms, profile) in timers
            standing = COMPILED.segments.evaluate(row.ledgers(), world.now_ms)
            assert segments_of(row) == sorted(name for name, current in standing.items() if current.inside)
        else:
            assert segments_of(row) == []


def check_quarantine(world: World) -> None:
    """Checks that records that are not events are in the DLQ, as often as they were sent."""
    assert sorted(record.value() for record in world.kafka.committed(DLQ.of(PREFIX))) == sorted(world.history.poison)


def check_everything_was_read(world: World) -> None:
    """Checks that the group's offsets are after the last record of every input."""
    group = world.kafka.groups[GROUP]
    for spec in STAGES.values():
        for topic in {topic.of(PREFIX) for topic in spec.inputs}:
            for partition in world.kafka.topic(topic) if world.kafka.has_topic(topic) else ():
                position = group.position((topic, partition.number))
                assert position is not None
                assert partition.committed(position, 1)[0] == []


def check_consumed(world: World) -> None:
    """Checks that committed transactions consumed each record of each input once, in log order."""
    offsets: dict[tuple[str, int], list[int]] = {}
    for batch in world.consumed:
        offsets.setdefault((batch.topic, batch.partition), []).extend(record.offset() for record in batch)
    for topic in READERS:
        for partition in world.kafka.topic(topic):
            expected = [record.offset() for record in partition.all_committed()]
            assert offsets.get((topic, partition.number), []) == expected, f"what was taken of {topic}"


def check_lag(world: World) -> None:
    """Checks that every worker reports no lag, whatever markers follow the last record."""
    group = world.kafka.groups[GROUP]
    for process in world.processes.values():
        for at in process.poller.held:
            end = world.kafka.topic(at.topic)[at.partition].end
            assert process.poller.behind_markers(at, group.position(at)) == end, f"the lag of {at}"


def check_stores(world: World) -> None:
    """Checks that each folder holds exactly the rows of the changelog below its position."""
    for disk in world.disks.values():
        for (stage, partition), store in disk.stores.items():
            check_store(world, stage, partition, store)


def check_store(world: World, stage: str, partition: int, store: DiskStore) -> None:
    expected = changelog(world, stage, partition, store.position())
    digests = {
        (layout.SEEN, key[:4] + block[at : at + 8]): b""
        for (family, key), block in expected.items()
        if family == layout.SEEN_BLOCKS
        for at in range(0, len(block), 8)
    }
    current = {(family, key): row for family, rows in store.families.items() for key, row in rows.items()}
    assert current == expected | digests, f"the store of {stage} {partition}"


def changelog(world: World, stage: str, partition: int, end: int) -> Rows:
    """Returns the rows of a partition by its changelog alone, up to an offset."""
    result: Rows = {}
    for record in world.kafka.topic(CHANGELOGS[stage].of(PREFIX))[partition].committed(0, end)[0]:
        if record.offset() >= end:
            break
        family, _, key = record.key().partition(b"/")
        if record.value() is None:
            result.pop((family.decode(), key), None)
        else:
            result[family.decode(), key] = record.value()
    return result


def rows_of(world: World, stage: str, wanted: str, decode: Callable[[bytes], Any]) -> dict[str, Any]:
    """Returns a table's rows by key over all partitions. Checks that each is in its key's partition."""
    result = {}
    for partition in range(world.kafka.partitions):
        for (family, key), row in changelog(world, stage, partition, 1 << 62).items():
            if family == wanted:
                assert partition_of(key.decode(), world.kafka.partitions) == partition
                result[key.decode()] = decode(row)
    return result


def by_partition(world: World, topic: Topic) -> Iterator[list[MemoryRecord]]:
    for partition in world.kafka.topic(topic.of(PREFIX)):
        yield list(partition.all_committed())
