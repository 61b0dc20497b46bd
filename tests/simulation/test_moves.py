"""Ledgers that move while touches, moves and carries overtake each other and workers crash: none lost, none twice.

Every sender (each INTAKE, STITCH, each PROFILE partition) keeps its own order towards a partition, as a producer on
Kafka does; between senders any interleaving happens. A crash throws away a batch's rows and outputs together, as an
aborted transaction does, and the batch is read again.
"""

import os
import random
from collections import deque
from typing import NamedTuple

import msgspec
import pytest

from pipeline.event.duration import MINUTE_MS
from pipeline.identity.messages import Move
from pipeline.identity.profile_id import profile_id
from pipeline.profile.apply import apply_touch
from pipeline.profile.ledger import Ledger, encode_ledger
from pipeline.profile.logic import Message, ProfileLogic
from pipeline.profile.messages import Carry, IdentifierOwnership, Touch
from pipeline.profile.row import ProfileRow
from pipeline.profile.rules import AggregateRules
from pipeline.testing.table import MemoryTable
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.rules import TriggerRule, TriggerRules
from tests.property.profile_histories import ANCHORS, EVERY_KIND, JOURNEYS, SCORES, made
from tests.simulation.lead_oracle import check_leads

SEEDS = int(os.environ.get("STITCHLINE_SEEDS", "120"))
FIRST_SEED = int(os.environ.get("STITCHLINE_FIRST_SEED", "0"))
HOT, WARM = TriggerRule(name="hot", high=60, low=20), TriggerRule(name="warm", high=15, low=2)
TRIGGERS = TriggerRules(triggers=(HOT, WARM))
RULES = compile_rules(AggregateRules(aggregates=EVERY_KIND), SCORES, TRIGGERS, journeys=JOURNEYS)
PARTITIONS, INTAKES = 3, 2
WIRE = msgspec.msgpack.Decoder(Touch | Move | Carry | IdentifierOwnership)


class Sent(NamedTuple):
    """A message in transit, as bytes."""

    profile_id: str
    data: bytes


class Partition:
    """One PROFILE partition: rows as bytes, which survive crashes, and one queue per sender."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.queues: dict[str, deque[Sent]] = {}

    def logic(self) -> tuple[ProfileLogic, MemoryTable[ProfileRow]]:
        table: MemoryTable[ProfileRow] = MemoryTable()
        table.rows = {key: msgspec.msgpack.decode(row, type=ProfileRow) for key, row in self.rows.items()}
        return ProfileLogic(RULES, table), table


class World:
    """The path from INTAKE's decision to the ledgers, driven by one seeded random generator."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.partitions = [Partition() for _ in range(PARTITIONS)]
        self.owner = {anchor: profile_id("default", anchor) for anchor in ANCHORS}
        self.profiles = sorted({*self.owner.values(), "profile-x", "profile-y"})
        self.known = [dict(self.owner) for _ in range(INTAKES)]
        self.news: list[deque[tuple[str, str]]] = [deque() for _ in range(INTAKES)]
        self.seq = 0
        self.sent: dict[str, list[Touch]] = {anchor: [] for anchor in ANCHORS}
        self.last_words: dict[str, str] = {}
        """Action id → the action id that it duplicates by the last published record, or ""."""

    def send(self, sender: str, to: str, message: Message) -> None:
        partition = self.partitions[sum(to.encode()) % PARTITIONS]
        partition.queues.setdefault(sender, deque()).append(Sent(to, msgspec.msgpack.encode(message)))

    def step(self) -> None:
        self.chance.choices((self.touch, self.move, self.hear, self.work), (5, 1, 2, 5))[0]()

    def touch(self) -> None:
        intake, anchor = self.chance.randrange(INTAKES), self.chance.choice(ANCHORS)
        number = sum(map(len, self.sent.values()))
        touch = made(number, number * MINUTE_MS, self.chance.getrandbits(40), anchor)
        self.sent[anchor].append(touch)
        self.send(f"intake-{intake}", self.known[intake][anchor], touch)

    def move(self) -> None:
        """Moves some, and often all, ledgers of one profile to another."""
        source, target = self.owner[self.chance.choice(ANCHORS)], self.chance.choice(self.profiles)
        anchors = [anchor for anchor in ANCHORS if self.owner[anchor] == source]
        if self.chance.random() < 0.5:
            anchors = self.chance.sample(anchors, self.chance.randint(1, len(anchors)))
        if source != target:
            self.tell(anchors, source, target)
            for anchor in anchors:
                self.owner[anchor] = target
                for news in self.news:
                    news.append((anchor, target))

    def tell(self, anchors: list[str], source: str, target: str) -> None:
        """Sends moves as STITCH does: to the profile that loses the anchors, and to profiles founded on one of them."""
        self.seq += 1
        home = any(profile_id("default", anchor) == target for anchor in anchors)
        for to in (source, target) if home else (source,):
            self.send("stitch", to, Move("default", anchors, source, target, self.seq))

    def hear(self) -> None:
        intake = self.chance.randrange(INTAKES)
        if self.news[intake]:
            anchor, owner = self.news[intake].popleft()
            self.known[intake][anchor] = owner

    def work(self) -> None:
        """Processes a batch. Commits rows and output together, or crashes and loses both."""
        name = self.chance.randrange(PARTITIONS)
        partition = self.partitions[name]
        before = {sender: deque(queue) for sender, queue in partition.queues.items()}
        batch = []
        for _ in range(self.chance.randrange(1, 9)):
            waiting = [queue for _, queue in sorted(partition.queues.items()) if queue]
            if waiting:
                sent = self.chance.choice(waiting).popleft()
                batch.append((sent.profile_id, WIRE.decode(sent.data)))
        logic, table = partition.logic()
        effects = logic.on_batch(batch, 0)
        if self.chance.random() < 0.2:
            partition.queues = before
            return
        partition.rows = {key: msgspec.msgpack.encode(row) for key, row in table.rows.items()}
        for to, message in effects.forwards:
            self.send(f"profile-{name}", to, message)
        self.last_words.update((lead.action.action_id, lead.action.duplicate_of) for lead in effects.leads)

    def settle(self) -> None:
        for _ in range(10_000):
            if not any(queue for partition in self.partitions for queue in partition.queues.values()):
                return
            self.work()
        pytest.fail("messages are still being forwarded")

    def rows(self) -> dict[str, ProfileRow]:
        """By profile id."""
        result = (rows for partition in self.partitions for rows in partition.rows.items())
        return {key: msgspec.msgpack.decode(data, type=ProfileRow) for key, data in result}

    def held(self) -> dict[str, dict[str, Ledger]]:
        """Anchor to profile to ledger."""
        result: dict[str, dict[str, Ledger]] = {anchor: {} for anchor in ANCHORS}
        for key, row in self.rows().items():
            for anchor, ledger in row.anchors.items():
                result[anchor][key] = ledger
        return result


def without_episodes(ledger: Ledger) -> bytes:
    return encode_ledger(msgspec.structs.replace(ledger, episodes={}))


def play(seed: int) -> World:
    world = World(seed)
    for _ in range(120):
        world.step()
    world.settle()
    return world


def check(world: World) -> None:
    for anchor, ledgers in world.held().items():
        expected = Ledger()
        for touch in world.sent[anchor]:
            apply_touch(RULES.plan, expected, touch)
        assert set(ledgers) == ({world.owner[anchor]} if world.sent[anchor] else set())
        for ledger in ledgers.values():
            assert without_episodes(ledger) == without_episodes(expected)
    check_leads(world.rows().values(), world.last_words)


def test_every_touch_ends_in_one_ledger_at_the_owner() -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        try:
            check(play(seed))
        except BaseException:
            print(f"replay: STITCHLINE_FIRST_SEED={seed} STITCHLINE_SEEDS=1 pytest {__file__}")
            raise


def test_an_anchor_that_moves_away_and_back_before_its_ledger_arrived_returns() -> None:
    world = World(1)
    anchor, home, away = ANCHORS[0], world.owner[ANCHORS[0]], "profile-x"
    world.send("intake-0", home, made(0, 0, 0, anchor))
    for source, target in [(home, away), (away, home), (home, away), (away, home)]:
        world.tell([anchor], source, target)
    world.settle()
    current = world.held()[anchor]
    assert set(current) == {home}
    assert current[home].touches == 1


def test_a_touch_reaches_an_anchor_that_returned_to_a_profile_without_a_move() -> None:
    world = World(1)
    anchor, own, here, there = ANCHORS[0], world.owner[ANCHORS[0]], "profile-x", "profile-y"
    for source, target in [(own, here), (here, there), (there, here)]:
        world.tell([anchor], source, target)
    world.settle()
    for number in range(2):
        world.send("intake-0", here, made(number, 0, 0, anchor))
        world.settle()
    current = world.held()[anchor]
    assert set(current) == {here}
    assert current[here].touches == 2
