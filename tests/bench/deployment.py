"""One measured worker: its topics, its process on one core, and what it has committed."""

import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import confluent_kafka

from connectors.sources.outgoing import Outgoing
from pipeline.kafka.admin import ensure_topics
from pipeline.kafka.retry import retrying
from pipeline.settings import Settings, variable
from pipeline.topics import EVENTS, TOUCHES
from tests.bench.core import PREFIX

PARTITIONS = 4
STOP_SECONDS = 60.0


def deployment(bootstrap: str, name: str, home: Path, rules: Path | None, **values: Any) -> Settings:
    """Returns the settings of a deployment of its own, and creates its topics."""
    settings = Settings(
        bootstrap_servers=bootstrap, topic_prefix=name, application_id=name, partitions=PARTITIONS, home=home,
        log_level="warning", **({"rules_dir": rules} if rules else {}), **values,
    )  # fmt: skip
    ensure_topics(settings)
    return settings


def environment_of(settings: Settings) -> dict[str, str]:
    """Returns this process's environment with every setting that was given a value."""
    given = {variable(name): str(getattr(settings, name)) for name in sorted(settings.model_fields_set)}
    return {**os.environ, **given}


@contextmanager
def process(command: list[str], environment: Mapping[str, str], core: int | None = None) -> Iterator[int]:
    """Runs a process, on one core if it is given. Yields its id; ends the process afterwards."""
    pinned = ["taskset", "-c", str(core), *command] if core is not None else command
    child = subprocess.Popen(pinned, env=dict(environment))
    try:
        yield child.pid
    finally:
        child.terminate()
        child.wait(STOP_SECONDS)


@contextmanager
def worker(settings: Settings, core: int | None = None) -> Iterator[int]:
    """Runs a worker; see :func:`process`."""
    with process([sys.executable, "-m", "pipeline.cli", "worker"], environment_of(settings), core) as pid:
        yield pid


def load_producer(settings: Settings, linger_ms: int, compression: str = "lz4") -> confluent_kafka.Producer:
    """Returns a producer without transactions, partitioned as Stitchline's."""
    return confluent_kafka.Producer(
        {
            **settings.kafka(),
            "partitioner": "murmur2_random",
            "linger.ms": linger_ms,
            "compression.type": compression,
            "queue.buffering.max.messages": 2_000_000,
        }
    )


def topic_of(settings: Settings, record: Outgoing) -> str:
    """Returns the topic of a record that was encoded for the prefix of the in-memory run."""
    return settings.topic_prefix + record.topic.removeprefix(PREFIX)


def produce(settings: Settings, records: Iterable[Outgoing]) -> None:
    """Puts the workload on the topics before the clock starts."""
    producer = load_producer(settings, linger_ms=50)
    for record in records:
        producer.produce(topic_of(settings, record), record.value, record.key)
        producer.poll(0)
    if producer.flush(60):
        message = "the workload was not delivered within 60 s"
        raise TimeoutError(message)


class Positions:
    """The committed offsets of a group."""

    def __init__(self, settings: Settings, inputs: Collection[str] = ()) -> None:
        """``inputs`` names the topics of another engine's events; by default Stitchline's."""
        self._group = confluent_kafka.Consumer(
            {
                **settings.kafka(), "group.id": settings.application_id, "enable.auto.commit": False,
                "isolation.level": "read_uncommitted",
            }
        )  # fmt: skip
        self._events = _places(inputs or [topic.of(settings.topic_prefix) for topic in EVENTS.values()], settings)
        self._touches = [] if inputs else _places([TOUCHES.of(settings.topic_prefix)], settings)

    def events_taken(self) -> int:
        """Returns the number of events whose effects are committed: they were produced without transactions."""
        return sum(max(0, place.offset) for place in self._committed(self._events))

    def touches_done(self) -> bool:
        """Returns whether PROFILE stands at the end of the touches, but for the last transaction's marker.

        The end is the high watermark. The last stable offset would leave out a transaction that is still open.
        """
        if not self._touches:
            return True
        ends = {place.partition: self._end(place) for place in self._touches}
        committed = self._committed(self._touches)
        return all(max(0, place.offset) >= ends[place.partition] - 1 for place in committed)

    def _end(self, place: confluent_kafka.TopicPartition) -> int:
        return int(self._group.get_watermark_offsets(place, timeout=10)[1])

    def _committed(self, places: list[confluent_kafka.TopicPartition]) -> list[confluent_kafka.TopicPartition]:
        return retrying(lambda: self._group.committed(places, timeout=30))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._group.close()


def _places(names: Collection[str], settings: Settings) -> list[confluent_kafka.TopicPartition]:
    return [confluent_kafka.TopicPartition(name, number) for name in names for number in range(settings.partitions)]
