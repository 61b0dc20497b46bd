"""The whole job: one worker process on a real Kafka, measured from outside."""

import os
import subprocess
import sys
import time
from pathlib import Path

import confluent_kafka
import msgspec

from connectors.sources.outgoing import Outgoing
from pipeline.kafka.admin import ensure_topics
from pipeline.kafka.retry import retrying
from pipeline.settings import Settings
from pipeline.topics import EVENTS, TOUCHES
from tests.bench.core import PREFIX
from tests.bench.process import ProcessUse

PARTITIONS = 4
TIMEOUT_SECONDS = 900.0
POLL_SECONDS = 0.05


class Figures(msgspec.Struct):
    """What one run gave after its warm-up."""

    events_per_second: float
    cpu_seconds_per_100k: float
    peak_mb: float


def on_kafka(
    bootstrap: str, home: Path, records: list[Outgoing], warm_up: int, rules: Path | None, name: str
) -> Figures:
    """Produce the workload, then run one pinned worker until PROFILE has taken the last touch of it."""
    settings = Settings(
        bootstrap_servers=bootstrap, topic_prefix=name, application_id=name, partitions=PARTITIONS, home=home
    )
    ensure_topics(settings)
    produce(settings, records)
    environment = {
        **os.environ,
        "STITCHLINE_BOOTSTRAP_SERVERS": bootstrap,
        "STITCHLINE_TOPIC_PREFIX": name,
        "STITCHLINE_APPLICATION_ID": name,
        "STITCHLINE_HOME": str(home),
        "STITCHLINE_LOG_LEVEL": "warning",
        **({"STITCHLINE_RULES_DIR": str(rules)} if rules else {}),
    }
    core = str(min(os.sched_getaffinity(0)))
    command = ["taskset", "-c", core, sys.executable, "-m", "pipeline.cli", "worker"]
    worker = subprocess.Popen(command, env=environment)
    try:
        return measured(settings, len(records), warm_up, ProcessUse(worker.pid))
    finally:
        worker.terminate()
        worker.wait(30)


def produce(settings: Settings, records: list[Outgoing]) -> None:
    """Put the workload on the topics before the clock starts."""
    producer = confluent_kafka.Producer(
        {
            **settings.kafka(),
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 2_000_000,
        }
    )
    for record in records:
        producer.produce(settings.topic_prefix + record.topic.removeprefix(PREFIX), record.value, record.key)
        producer.poll(0)
    if producer.flush(60):
        message = "the workload was not delivered within 60 s"
        raise TimeoutError(message)


def measured(settings: Settings, wanted: int, warm_up: int, use: ProcessUse) -> Figures:
    """From the first commit at or behind the warm-up to the commit that leaves nothing to do."""
    positions = Positions(settings)
    first: tuple[float, float, int] | None = None
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        taken = positions.events_taken()
        if first is None and taken >= warm_up:
            first = time.monotonic(), use.cpu_seconds(), taken
        if first is not None and taken >= wanted and positions.touches_done():
            seconds, cpu = time.monotonic() - first[0], use.cpu_seconds() - first[1]
            done = wanted - first[2]
            return Figures(done / seconds, cpu / done * 100_000, use.peak_mb())
        time.sleep(POLL_SECONDS)
    message = f"the worker had not taken all events after {TIMEOUT_SECONDS:.0f} s"
    raise TimeoutError(message)


class Positions:
    """The group's committed offsets, which are what is durable."""

    def __init__(self, settings: Settings) -> None:
        self._group = confluent_kafka.Consumer(
            {**settings.kafka(), "group.id": settings.application_id, "enable.auto.commit": False}
        )
        names = [topic.of(settings.topic_prefix) for topic in EVENTS.values()]
        self._events = [confluent_kafka.TopicPartition(name, p) for name in names for p in range(PARTITIONS)]
        touches = TOUCHES.of(settings.topic_prefix)
        self._touches = [confluent_kafka.TopicPartition(touches, p) for p in range(PARTITIONS)]

    def events_taken(self) -> int:
        """Events whose effects are committed; they were produced without transactions, so offsets count them."""
        return sum(max(0, place.offset) for place in self._committed(self._events))

    def touches_done(self) -> bool:
        """Whether PROFILE stands at the end of the touches, but for the last transaction's marker."""
        for place in self._committed(self._touches):
            _, end = self._group.get_watermark_offsets(place, timeout=10)
            if max(0, place.offset) < end - 1:
                return False
        return True

    def _committed(self, places: list[confluent_kafka.TopicPartition]) -> list[confluent_kafka.TopicPartition]:
        return retrying(lambda: self._group.committed(places, timeout=30))
