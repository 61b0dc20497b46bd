"""The records of a simulated shop day on a real Kafka, and the writer of the read model as a process."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import confluent_kafka

from pipeline.kafka.admin import ensure_topics
from pipeline.serve.model import facts
from pipeline.serve.model.store import Store
from pipeline.settings import Settings
from pipeline.topics import ACTIONS, ASSIGNMENTS, CHANGELOGS, CHANGES, LEDGER, SEGMENTS, UPDATES, StageName
from tests.support import children
from tests.support.databases import Database
from tests.support.model_oracle import Tables, expected
from tests.support.model_records import PARTITIONS, ModelRecords
from tests.support.records import committed
from tests.support.waiting import deadline_seconds, eventually

FOLLOWED = (
    UPDATES, ASSIGNMENTS, CHANGES, SEGMENTS, ACTIONS, LEDGER,
    CHANGELOGS[StageName.PROFILE], CHANGELOGS[StageName.STITCH],
)  # fmt: skip


def deployment(bootstrap_servers: str, prefix: str, database: Database) -> Settings:
    """Settings with topics that exist and are empty."""
    settings = Settings(
        bootstrap_servers=bootstrap_servers,
        topic_prefix=prefix,
        partitions=PARTITIONS,
        home=database.home,
        database_url=database.url,
    )
    ensure_topics(settings)
    return settings


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings as variables of a child process."""
    chosen = {"BOOTSTRAP_SERVERS": settings.bootstrap_servers, "TOPIC_PREFIX": settings.topic_prefix,
              "HOME": str(settings.home), "DATABASE_URL": settings.database_url.get_secret_value()}  # fmt: skip
    return {**os.environ, **{f"STITCHLINE_{name}": value for name, value in chosen.items()}}


class SlowProducer(threading.Thread):
    """Writes records over time, each to its partition, so that a writer always has something to do."""

    def __init__(self, settings: Settings, records: ModelRecords, seconds: float) -> None:
        super().__init__(daemon=True)
        self._waiting = [list(found) for _, found in sorted(records.by_place.items())]
        self._seconds = seconds
        self._producer = confluent_kafka.Producer({**settings.kafka(), "linger.ms": 5})

    def run(self) -> None:
        """All records, those of one partition in order."""
        turns = 40
        for turn in range(turns, 0, -1):
            for records in self._waiting:
                for record in [records.pop(0) for _ in range(-(-len(records) // turn))]:
                    self._producer.produce(
                        record.topic(), record.value(), record.key(), record.partition(), on_delivery=_delivered
                    )
            self._producer.flush()
            time.sleep(self._seconds / turns)


def _delivered(error: confluent_kafka.KafkaError | None, _message: object) -> None:
    assert error is None, error


class WriterUnderTest:
    """``stitchline serve --role writer``, which a test kills and starts again."""

    def __init__(self, settings: Settings) -> None:
        self._environment = environment_of(settings)
        self.store = Store.open(settings.database_url.get_secret_value(), Path(settings.home) / "serve")
        self.store.prepare(settings.topic_prefix)
        self.process = self.start()

    def start(self, *options: str) -> "subprocess.Popen[bytes]":
        """Another process of the writer."""
        command = [sys.executable, "-m", "pipeline.cli", "serve", "--role", "writer", *options]
        self.process = children.start(command, env=self._environment)
        return self.process

    def kill(self) -> None:
        """SIGKILL."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(deadline_seconds())

    def end(self) -> None:
        """SIGTERM, upon which it must end by itself without an error."""
        self.process.terminate()
        assert self.process.wait(deadline_seconds()) == 0

    def progress(self) -> facts.Progress:
        """The progress that the writer stored."""
        with self.store.reading() as connection:
            return facts.progress(connection)

    def until_written(self) -> None:
        """Wait until the running process has committed something."""
        before = self.progress().written_ms
        eventually(lambda: self.progress().written_ms > before, "the writer commits", idle_seconds=60)

    def until_caught_up(self, settings: Settings) -> Tables:
        """Wait until everything on the topics is applied. Returns what the tables must hold then."""
        records = [record for topic in FOLLOWED for record in committed(settings, topic)]
        ends: dict[tuple[str, int], int] = {}
        for record in records:
            ends[record.topic(), record.partition()] = record.offset() + 1
        eventually(lambda: self._reached(ends), "every record is applied", lambda: str(self.progress()))
        return expected(records, settings.topic_prefix)

    def _reached(self, ends: dict[tuple[str, int], int]) -> bool:
        with self.store.reading() as connection:
            rows = connection.exec_driver_sql("SELECT topic, partition, next_offset FROM offsets").all()
        reached = {(row[0], row[1]): row[2] for row in rows}
        return all(reached.get(place, 0) >= end for place, end in ends.items())
