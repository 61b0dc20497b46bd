"""The floor under STITCH on Kafka: a bare loop that does with each link all that is not thinking.

It reads the link, looks its rows up in a RocksDB, sends the records it leads to, changelog included, and writes the
rows. It decides nothing, encodes nothing and has no transaction: keys and values are made before the clock starts.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import confluent_kafka
import msgspec

from pipeline.settings import Settings
from pipeline.state import layout
from pipeline.state.partition import changelog_key
from pipeline.state.store import Change, RocksEngine, RocksOptions
from pipeline.stream.stages.stitch import STITCH
from pipeline.topics import DLQ
from tests.bench.stitch_core import BATCH, COMMIT_EVERY_BATCHES, WARM_UP_SHARE, stage

QUIET_SECONDS = 30.0
Record = tuple[bytes | str | None, bytes | None]
"""Key and value."""
COMMIT = BATCH * COMMIT_EVERY_BATCHES
"""Links whose rows are written at once."""


Item = TypeVar("Item")


class Floor(msgspec.Struct):
    """Links a CPU second of all threads behind the warm-up."""

    sending: float
    """Reading and sending alone."""
    whole: float
    """With the rows looked up and written."""
    records: float
    """Sent for each link."""


class Commit(msgspec.Struct):
    """What one commit's links lead to: the stage's own keys and values."""

    links: int
    records: list[Record]
    """Its changelog included."""
    rows: list[Change]


def floor(settings: Settings, place: confluent_kafka.TopicPartition, links: Sequence[bytes]) -> Floor:
    """Run the loop twice over encoded links that wait on their topic, without state and with it.

    Raises:
        TimeoutError: the links are not on the topic.
    """
    commits = [_outcome(links[at : at + COMMIT]) for at in range(0, len(links), COMMIT)]
    sending = _rate(Loop(settings, place), [Commit(commit.links, commit.records, []) for commit in commits])
    whole = _rate(Loop(settings, place), commits)
    return Floor(sending, whole, sum(len(commit.records) for commit in commits) / len(links))


def _outcome(links: Sequence[bytes]) -> Commit:
    result: list[Record] = []
    built, take = stage(emit=lambda _topic, key, value, _headers=None: result.append((key, value)))
    take(links)
    rows = list(built.state.changes())
    return Commit(len(links), result + [(changelog_key(row), row.value) for row in rows], rows)


def _rate(loop: "Loop", commits: Sequence[Commit]) -> float:
    warm_up = max(1, len(commits) // WARM_UP_SHARE)
    for commit in commits[:warm_up]:
        loop.take(commit)
    started = time.process_time()
    for commit in commits[warm_up:]:
        loop.take(commit)
    seconds = time.process_time() - started
    loop.close()
    return sum(commit.links for commit in commits[warm_up:]) / seconds


class Loop:
    """The clients and the database of one run."""

    def __init__(self, settings: Settings, place: confluent_kafka.TopicPartition) -> None:
        self._producer = confluent_kafka.Producer(
            {**settings.kafka(), "linger.ms": 50, "compression.type": "lz4", "queue.buffering.max.messages": 5_000_000}
        )
        self._consumer = confluent_kafka.Consumer({**settings.kafka(), "group.id": "relay"})
        self._consumer.assign([confluent_kafka.TopicPartition(place.topic, place.partition, 0)])
        folder = Path(settings.home) / f"relay-{time.monotonic_ns()}"
        self._store = RocksEngine(RocksOptions()).open(folder, STITCH.families)
        self._target = DLQ.of(settings.topic_prefix)

    def take(self, commit: Commit) -> None:
        """Read as many links as the commit has, and do what they lead to."""
        get, produce, target = self._store.family(layout.NODES).get, self._producer.produce, self._target
        taken = 0
        while taken < commit.links:
            result = self._fetched(min(BATCH, commit.links - taken))
            for row in _part(commit.rows, taken, result, commit.links):
                get(row.key)
            for key, value in _part(commit.records, taken, result, commit.links):
                produce(target, value, key)
            self._producer.poll(0)
            taken += result
        self._producer.flush(60)
        if commit.rows:
            self._store.apply(commit.rows, 0)

    def _fetched(self, limit: int) -> int:
        deadline = time.monotonic() + QUIET_SECONDS
        while not (result := len(self._consumer.consume(limit, 0.2))):
            if time.monotonic() > deadline:
                message = f"no more links for {QUIET_SECONDS:.0f} s"
                raise TimeoutError(message)
        return result

    def close(self) -> None:
        """Let go of the clients and the database."""
        self._consumer.close()
        self._store.close()


def _part(items: list[Item], taken: int, result: int, links: int) -> list[Item]:
    """The share of a commit's items that ``found`` of its links lead to, behind ``taken`` of them."""
    return items[len(items) * taken // links : len(items) * (taken + result) // links]
