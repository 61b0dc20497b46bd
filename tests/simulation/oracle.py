"""What a world must have come to, computed from its history alone: each event once, at whom the pure function names."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from pipeline.avro.wire import Decoder
from pipeline.event.anchor import AnchorRow
from pipeline.event.identifier import key_of
from pipeline.identity.decisions import decide
from pipeline.identity.messages import Assignment, Command
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import resolve
from pipeline.identity.rulebook import Rulebook
from pipeline.kafka.partitioner import partition_of
from pipeline.profile.apply import apply_touch
from pipeline.profile.ledger import Ledger, encode_ledger
from pipeline.profile.messages import Carry, Move, Ownership, Touch
from pipeline.profile.publish import segments_of
from pipeline.profile.row import ACTIVE, FOREVER, ProfileRow
from pipeline.rules.compiled import compiled
from pipeline.state import layout
from pipeline.state.timers import DUE_BYTES
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
from pipeline.trigger.messages import Lead
from tests.simulation.histories import TENANT
from tests.simulation.lead_oracle import check_leads
from tests.simulation.process import GROUP, PREFIX, STAGES, DiskStore
from tests.simulation.straight import MESSAGE, straight_run
from tests.simulation.world import RULES, World

COMPILED = compiled(RULES[0])
CHANGE, ACTION, UPDATE = Decoder(CHANGES.value), Decoder(ACTIONS.value), Decoder(UPDATES.value)
LEAD = msgspec.msgpack.Decoder(Lead).decode
ASSIGNMENT = msgspec.msgpack.Decoder(Assignment).decode
PROFILE_ROW, ANCHOR_ROW = msgspec.msgpack.Decoder(ProfileRow).decode, msgspec.msgpack.Decoder(AnchorRow).decode

Rows = dict[tuple[str, bytes], bytes]
"""Family and key to the row's bytes."""


def check(world: World) -> None:
    """Fail on whatever was lost, doubled, or left behind."""
    owner = owners(world)
    profiles = rows_of(world, "profile", layout.PROFILES, PROFILE_ROW)
    check_everything_was_read(world)
    check_stores(world)
    check_ledgers(world, owner, profiles)
    check_identifiers(owner, profiles)
    check_touches(world)
    check_assignments(world, owner)
    check_changes(world)
    check_updates(world, profiles)
    check_successors(world, profiles)
    check_deeds(world)
    check_decisions(world)
    check_actions(world)
    check_leads(profiles.values(), last_words(world))
    check_time(world, profiles)
    check_quarantine(world)


def owners(world: World) -> dict[str, str]:
    """Whose profile each identifier belongs to, by the pure function over everything that was sent."""
    commands = [each for each in world.history.sent if isinstance(each, Command)]
    book = Rulebook(world.rules.identity)
    resolution = resolve(world.history.links, book, decide(commands, book))
    anchors = {touch.leaf: touch.leaf for touch in world.history.touches}
    return {ident: profile_id(TENANT, founder) for ident, founder in (anchors | resolution.founder_of).items()}


def straight(touches: list[Touch]) -> dict[str, bytes]:
    """Each leaf's ledger, folded in the order of the events."""
    found: dict[str, Ledger] = {}
    for touch in touches:
        apply_touch(COMPILED.plan, found.setdefault(touch.leaf, Ledger()), touch)
    return {leaf: of_touches(ledger) for leaf, ledger in found.items()}


def of_touches(ledger: Ledger) -> bytes:
    """What the touches alone say: when a trigger fired, and what STITCH numbers, depends on the order of arrival."""
    return encode_ledger(msgspec.structs.replace(ledger, episodes={}, owned={}))


def check_ledgers(world: World, owner: dict[str, str], profiles: dict[str, ProfileRow]) -> None:
    """Every event is in one ledger, that of its anchor, and that ledger is at its owner, with the right bytes."""
    held: dict[str, list[tuple[str, bytes]]] = {}
    for profile, row in profiles.items():
        for leaf, ledger in row.leaves.items():
            held.setdefault(leaf, []).append((profile, of_touches(ledger)))
    expected = straight(world.history.touches)
    places = {leaf: [profile for profile, _ in found] for leaf, found in held.items()}
    assert places == {leaf: [owner[leaf]] for leaf in expected}
    for leaf, ledger in expected.items():
        assert held[leaf] == [(owner[leaf], ledger)], f"the ledger of {leaf}"


def check_identifiers(owner: dict[str, str], profiles: dict[str, ProfileRow]) -> None:
    """Of the identifiers of its events each ledger holds for its customer's those that are, and nothing is awaited."""
    anchors = {leaf for row in profiles.values() for leaf in row.leaves}
    for profile, row in profiles.items():
        assert not row.awaited.keys() & anchors, f"decisions for ledgers that are not at {profile}"
        for leaf, ledger in row.leaves.items():
            own = {ident for ident in ledger.identifiers if owner.get(ident, profile_id(TENANT, ident)) == profile}
            assert ledger.own_identifiers().keys() == own, f"the identifiers of {leaf}"


def check_touches(world: World) -> None:
    """INTAKE sent one touch for each event; STITCH told whom leaves left, and who is named after one of them."""
    touches: Counter[str] = Counter()
    told: dict[int, list[str]] = {}
    moves: dict[int, Move] = {}
    for record in world.kafka.committed(TOUCHES.of(PREFIX)):
        message = MESSAGE(record.value())
        if isinstance(message, Touch) and not message.seq:
            touches[message.event_id] += 1
        elif isinstance(message, Move):
            told.setdefault(message.seq, []).append(record.key().decode())
            moves[message.seq] = message
    assert touches == Counter(touch.event_id for touch in world.history.touches)
    for seq, move in moves.items():
        home = move.target in {profile_id(move.tenant, leaf) for leaf in move.leaves}
        assert sorted(told[seq]) == sorted({move.source, move.target} if home else {move.source})


def check_assignments(world: World, owner: dict[str, str]) -> None:
    """STITCH's last word on each identifier is its owner, and INTAKE has heard it."""
    last: dict[bytes, Assignment] = {}
    for record in world.kafka.committed(ASSIGNMENTS.of(PREFIX)):
        told = ASSIGNMENT(record.value())
        if record.key() not in last or told.seq > last[record.key()].seq:
            last[record.key()] = told
    anchors = rows_of(world, "intake", layout.ANCHORS, ANCHOR_ROW)
    for ident, profile in owner.items():
        key = key_of(TENANT, ident)
        told = last.get(key.encode())
        assert (told.profile_id if told else profile_id(TENANT, ident)) == profile, f"the assignment of {ident}"
        heard = anchors[key].profile_id if key in anchors else None
        assert heard == (told.profile_id if told else None), f"what INTAKE knows of {ident}"


def check_changes(world: World) -> None:
    """Numbers rise by one with each decision; a mere change of contests or of ownership has no line in the log."""
    lines = [[CHANGE(record.value())["seq"] for record in found] for found in by_partition(world, CHANGES)]
    assert all(found == sorted(found) for found in lines)
    numbers = [number for found in lines for number in found]
    assigned = {ASSIGNMENT(record.value()).seq for record in world.kafka.committed(ASSIGNMENTS.of(PREFIX))}
    messages = [MESSAGE(record.value()) for record in world.kafka.committed(TOUCHES.of(PREFIX))]
    assigned |= {message.decided for message in messages if isinstance(message, Ownership)}
    assert len(numbers) == len(set(numbers))
    assert {*numbers, *assigned} == set(range(1, 1 + max({*numbers, *assigned}, default=0)))


def check_updates(world: World, profiles: dict[str, ProfileRow]) -> None:
    """As many updates of a profile as it says it has published."""
    published = Counter(record.key().decode() for record in world.kafka.committed(UPDATES.of(PREFIX)))
    assert published == Counter({profile: row.version for profile, row in profiles.items() if row.version})


def check_successors(world: World, profiles: dict[str, ProfileRow]) -> None:
    """Whoever has ledgers was last published as active, nobody else; who merged leads on to somebody active."""
    last = {record.key().decode(): UPDATE(record.value()) for record in world.kafka.committed(UPDATES.of(PREFIX))}
    active = {profile for profile, update in last.items() if update["status"] == ACTIVE}
    assert active == {profile for profile, row in profiles.items() if row.leaves}
    for profile in last:
        way = [profile]
        while way[-1] not in active:
            assert way[-1] in last, f"{way} ends at a profile that was never published"
            way.append(last[way[-1]]["merged_into"])
            assert len(way) == len(set(way)), f"{way} is a circle"


def check_decisions(world: World) -> None:
    """Leads, segment changes and what went on to other profiles: those of a straight run, to the last byte."""
    said = straight_run(COMPILED, world.deeds, world.now_ms)
    forwards: Counter[tuple[str, bytes]] = Counter()
    for record in world.kafka.committed(TOUCHES.of(PREFIX)):
        message = MESSAGE(record.value())
        passed_on = isinstance(message, Carry) or (isinstance(message, Touch) and message.seq)
        if passed_on or (isinstance(message, Ownership) and message.seq != message.decided):
            forwards[record.key().decode(), record.value()] += 1
    assert forwards == said.forwards
    assert Counter(record.value() for record in world.kafka.committed(SEGMENTS.of(PREFIX))) == said.segment_changes
    assert Counter(record.value() for record in world.kafka.committed(LEADS.of(PREFIX))) == said.leads


def check_deeds(world: World) -> None:
    """Transactions that were committed hold each touch, move and carry once, in the order of the log."""
    for partition in world.kafka.topic(TOUCHES.of(PREFIX)):
        deeds = [deed for deed in world.deeds if deed.partition == partition.number]
        taken = [record.offset() for deed in deeds for record in deed.records]
        assert taken == [record.offset() for record in partition.all_committed()]


def check_actions(world: World) -> None:
    """Every word on a lead that says something new became one action, with its number and somebody to call."""
    sent: dict[str, list[str]] = {}
    for record in world.kafka.committed(LEADS.of(PREFIX)):
        action = LEAD(record.value()).action
        words = sent.setdefault(action["action_id"], [])
        if not words or words[-1] != action["duplicate_of"]:
            words.append(action["duplicate_of"])
    found = [ACTION(record.value()) for record in world.kafka.committed(ACTIONS.of(PREFIX))]
    said = {(action["action_id"], action["revision"]): action["duplicate_of"] for action in found}
    assert said == {(name, number): word for name, words in sent.items() for number, word in enumerate(words, 1)}
    assert len(said) == len(found)
    assert all(action["owner"] and action["owner_reason"] for action in found if action["kind"] == LEAD_KIND)


def last_words(world: World) -> dict[str, str]:
    """By action id, which other it was last said to duplicate."""
    found = [ACTION(record.value()) for record in world.kafka.committed(ACTIONS.of(PREFIX))]
    return {each["action_id"]: each["duplicate_of"] for each in sorted(found, key=lambda each: each["revision"])}


def check_time(world: World, profiles: dict[str, ProfileRow]) -> None:
    """Whoever has something due has a timer for it, and is in the segments that the ledgers and the moment say."""
    timers = {
        (int.from_bytes(key[:DUE_BYTES]), key[DUE_BYTES:].decode())
        for partition in range(world.kafka.partitions)
        for family, key in changelog(world, "profile", partition, 1 << 62)
        if family == layout.TIMERS
    }
    for profile, row in profiles.items():
        if row.leaves:
            assert row.timer_ms > world.now_ms or not row.timer_ms
            assert row.due_ms >= FOREVER or 0 < row.timer_ms <= row.due_ms
            assert not row.timer_ms or (row.timer_ms, profile) in timers
            standing = COMPILED.segments.evaluate(row.ledgers(), world.now_ms)
            assert segments_of(row) == sorted(name for name, held in standing.items() if held.inside)
        else:
            assert segments_of(row) == []


def check_quarantine(world: World) -> None:
    """What is no event is in the DLQ, as often as it was sent."""
    assert sorted(record.value() for record in world.kafka.committed(DLQ.of(PREFIX))) == sorted(world.history.poison)


def check_everything_was_read(world: World) -> None:
    """The group's offsets are behind the last record of every input."""
    group = world.kafka.groups[GROUP]
    for spec in STAGES.values():
        for topic in {topic.of(PREFIX) for topic in spec.inputs}:
            for partition in world.kafka.topic(topic) if world.kafka.has_topic(topic) else ():
                position = group.position((topic, partition.number))
                assert position is not None
                assert partition.committed(position, 1)[0] == []


def check_stores(world: World) -> None:
    """Whatever became of a folder: it holds what the changelog says below its position, and nothing else."""
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
    held = {(family, key): row for family, rows in store.families.items() for key, row in rows.items()}
    assert held == expected | digests, f"the store of {stage} {partition}"


def changelog(world: World, stage: str, partition: int, end: int) -> Rows:
    """The rows of a partition by its changelog alone, up to an offset."""
    found: Rows = {}
    for record in world.kafka.topic(CHANGELOGS[stage].of(PREFIX))[partition].committed(0, end)[0]:
        if record.offset() >= end:
            break
        family, _, key = record.key().partition(b"/")
        if record.value() is None:
            found.pop((family.decode(), key), None)
        else:
            found[family.decode(), key] = record.value()
    return found


def rows_of(world: World, stage: str, wanted: str, decode: Callable[[bytes], Any]) -> dict[str, Any]:
    """A table's rows by key over all partitions, each in the partition its key belongs to."""
    found = {}
    for partition in range(world.kafka.partitions):
        for (family, key), row in changelog(world, stage, partition, 1 << 62).items():
            if family == wanted:
                assert partition_of(key.decode(), world.kafka.partitions) == partition
                found[key.decode()] = decode(row)
    return found


def by_partition(world: World, topic: Topic) -> Iterator[list[MemoryRecord]]:
    for partition in world.kafka.topic(topic.of(PREFIX)):
        yield list(partition.all_committed())
