"""In a replay no record that one partition of INTAKE forwards to another is late.

Several partitions of INTAKE run over one log in random turns; their inputs are in the order of event time, but one
partition may be months ahead of another. Aliases name users of other partitions, and producers use wrong keys.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any, cast

import msgspec
import pytest

from connectors.sources.outgoing import EventEncoder, Outgoing
from pipeline.avro.codecs import Codecs
from pipeline.avro.registry import FileIds
from pipeline.event.duration import DAY_MS
from pipeline.event.link import Link
from pipeline.event.parse import Defaults
from pipeline.kafka.partitioner import partition_of
from pipeline.obs.metrics import Metrics
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.simulate.simulation import NO_BREAKER
from pipeline.state.store import PartitionStore
from pipeline.stream import watermark
from pipeline.stream.order import order_of, time_of
from pipeline.stream.stages.base import Context
from pipeline.stream.stages.event_queue import EventQueue
from pipeline.stream.stages.forwarding import Forwarding
from pipeline.stream.stages.intake import IntakeStage
from pipeline.testing.build import event_json
from pipeline.testing.log import MemoryRecord
from pipeline.testing.store import MemoryStore
from pipeline.topics import DLQ, EVENTS, FORWARDS, LINKS, Topic

SEEDS = 8
EVENTS_PER_SEED = 60
USERS = 6
LATENESS_MS = 60_000
SETTINGS = Settings(clock="stream", topic_prefix="cdp", stream_lateness_ms=LATENESS_MS, stream_idle_ms=1_000)
RULES = load_rules()
CODECS = Codecs(FileIds(), "cdp")
Patch = Callable[[pytest.MonkeyPatch], None]


class Intakes:
    """All partitions of INTAKE over a log in memory, each with a position of its own on every topic."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.log: defaultdict[tuple[str, int], list[MemoryRecord]] = defaultdict(list)
        self.positions: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.sent: list[list[MemoryRecord]] = [[] for _ in range(partitions)]
        """What each partition has sent to STITCH, watermarks included, in its order."""
        self._acting = 0
        self.stages = [
            IntakeStage(self._context(), number, cast("PartitionStore", MemoryStore())) for number in range(partitions)
        ]
        for channel in EVENTS.keys() - {"web", "app"}:
            for stage in self.stages:
                stage.on_silence(EVENTS[channel].of("cdp"), 2.0)

    def _context(self) -> Context:
        return Context(
            settings=SETTINGS, rules=RULES, codecs=CODECS, clock=lambda: 1 << 42, emit=self.emit,
            partition_of=lambda key: partition_of(key, self.partitions), breaker=NO_BREAKER, metrics=Metrics(),
            partitions=self.partitions, broadcast=self._broadcast,
        )  # fmt: skip

    def emit(self, topic: Topic, key: Any, value: bytes | None, headers: Any = None) -> None:
        key_bytes = key.encode() if isinstance(key, str) else key
        self._append(topic, partition_of(key_bytes.decode(), self.partitions), key_bytes, value, headers)

    def _broadcast(self, topic: Topic, key: bytes, value: bytes) -> None:
        for number in range(self.partitions):
            self._append(topic, number, key, value, None)

    def _append(self, topic: Topic, number: int, key: bytes, value: bytes | None, headers: Any) -> None:
        records = self.log[topic.of("cdp"), number]
        record = MemoryRecord(topic.of("cdp"), len(records), key, value, headers, partition=number)
        records.append(record)
        if topic is LINKS and (number == 0 or not key.startswith(watermark.KEY_PREFIX)):
            self.sent[self._acting].append(record)

    def step(self, chance: random.Random, number: int) -> None:
        """One partition reads some records of one input and commits."""
        self._acting, stage = number, self.stages[number]
        topic = chance.choice((EVENTS["web"], EVENTS["app"], FORWARDS)).of("cdp")
        at = self.positions[topic, number]
        batch = self.log[topic, number][at : at + chance.choice((1, 3, 10))]
        self.positions[topic, number] += len(batch)
        if batch:
            stage.on_batch(topic, batch)
        self.commit()

    def commit(self) -> None:
        stage = self.stages[self._acting]
        stage.tick()
        stage.before_commit()
        stage.state.persist(stage.state.changes())

    def at_end(self) -> None:
        """All inputs are read and silent."""
        for _ in range(2 * self.partitions):
            for number, stage in enumerate(self.stages):
                self._acting = number
                for topic in (*(topic.of("cdp") for topic in EVENTS.values()), FORWARDS.of("cdp")):
                    rest = self.log[topic, number][self.positions[topic, number] :]
                    self.positions[topic, number] += len(rest)
                    if rest:
                        stage.on_batch(topic, rest)
                    else:
                        stage.on_silence(topic, 2.0)
                self.commit()


def events(chance: random.Random) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yields events in the order of time, and whether their producer uses a wrong key."""
    for number in range(EVENTS_PER_SEED):
        user, other = chance.sample(range(USERS), 2)
        more: dict[str, Any] = {"userId": f"u{user}", "channel": chance.choice(("web", "app"))}
        if chance.random() < 0.3:
            more |= {"type": "alias", "previousId": f"u{other}"}
        elif chance.random() < 0.5:
            more |= {"anonymousId": f"a{chance.randrange(4)}"}
        event = event_json(number, "" if "type" in more else "seen", start_ms=20_089 * DAY_MS, step_ms=DAY_MS, **more)
        yield event, chance.random() < 0.2


def played(seed: int, partitions: int) -> Intakes:
    """Returns the partitions after they have read a history to its end, in turns."""
    chance, run = random.Random(seed), Intakes(partitions)
    encode = EventEncoder(RULES.intake, RULES.identifiers, FileIds(), "cdp", Defaults())
    for event, is_foreign in events(chance):
        sent = encode(dict(event))
        assert isinstance(sent, Outgoing), sent
        topic = EVENTS[event["channel"]]
        run.emit(topic, f"default/user_id:foreign{chance.randrange(9)}" if is_foreign else sent.key, sent.value)
    favourite = chance.randrange(partitions)
    for _ in range(200):
        run.step(chance, favourite if chance.random() < 0.7 else chance.randrange(partitions))
    run.at_end()
    assert not any(run.log[DLQ.of("cdp"), number] for number in range(partitions))
    assert not any(stage.queue.buffer.count() for stage in run.stages), "every event was taken"
    return run


def links(run: Intakes) -> Counter[tuple[str, str]]:
    """Returns the pairs of identifiers that STITCH learns of, with the number of sightings."""
    records = [record for sent in run.sent for record in sent if not (record.key() or b"").startswith(b"\0")]
    decoded = [msgspec.msgpack.decode(record.value() or b"", type=Link) for record in records]
    return Counter((link.anchor, link.other) for link in decoded)


def late_links(run: Intakes) -> list[str]:
    """Returns the links that a partition sent after it had reported their time as passed."""
    late = []
    for sent in run.sent:
        passed_ms = -1
        for record in sent:
            if (record.key() or b"").startswith(watermark.KEY_PREFIX):
                passed_ms = max(passed_ms, watermark.decode(record.value() or b"").time_ms)
            elif time_of(order_of(record)) <= passed_ms:
                late.append(f"{msgspec.msgpack.decode(record.value() or b'')} after {passed_ms}")
    return late


@pytest.mark.parametrize("partitions", [2, 5])
def test_no_link_of_a_forwarded_record_is_late_and_none_is_missing(partitions: int) -> None:
    for seed in range(SEEDS):
        run = played(seed, partitions)
        assert late_links(run) == [], f"seed {seed}"
        assert links(run) == links(played(seed, 1)), f"seed {seed}"


def forwarded_records_are_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    least_ms = EventQueue.forwarded_mark
    patch.setattr(EventQueue, "_least_ms", lambda queue: least_ms(queue)[0])


def watermarks_that_run_ahead_of_what_was_forwarded(patch: pytest.MonkeyPatch) -> None:
    report = Forwarding.report
    patch.setattr(Forwarding, "report", lambda sender, time_ms, idle: report(sender, time_ms + 30 * DAY_MS, idle=idle))


@pytest.mark.parametrize(
    "plant", [forwarded_records_are_not_waited_for, watermarks_that_run_ahead_of_what_was_forwarded]
)
def test_planted_defects_make_links_late(plant: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert any(late_links(played(seed, 5)) for seed in range(SEEDS))
