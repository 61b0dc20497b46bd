"""The floor under event to action: as many transactional hops as an event takes, by bare loops on the same broker.

    python -m tests.bench.hop_floor [--seconds 10]

Each hop reads one record that is committed, produces one and commits it with its offset, in a transaction of its own,
as soon as it can. One record is under way at a time. There is no work, no state, no changelog and no waiting for an
interval, and each transaction writes to one partition. Stitchline's latency cannot be less on this broker.
"""

import argparse
import contextlib
import itertools
import os
import sys
import threading
import time
from typing import Any, Final, Self

import confluent_kafka
import msgspec
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # public, not re-exported

from pipeline.kafka.clients import admin, transactional_producer
from pipeline.local.broker import broker
from pipeline.settings import Settings

HOPS: Final = 3
"""INTAKE, PROFILE, ROUTE."""
WARM_UP: Final = 20
REQUEST_SECONDS: Final = 10.0
TIMEOUT_SECONDS: Final = 10.0


class HopFloor(msgspec.Struct):
    """From a produced record to the last hop's visible one."""

    hops: int
    records: int
    p50_ms: float
    p99_ms: float


def committed_reader(bootstrap: str, topic: str) -> confluent_kafka.Consumer:
    """Returns a consumer of a topic's only partition, which waits as little for its records as a worker's."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": bootstrap, "group.id": f"{topic}-reader", "enable.auto.commit": False,
            "isolation.level": "read_committed", "fetch.wait.max.ms": 50,
        }
    )  # fmt: skip
    consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
    return consumer


class Hop(threading.Thread):
    """Passes each record of one topic on to the next in a transaction. Use as a context manager."""

    def __init__(self, bootstrap: str, source: str, target: str) -> None:
        super().__init__(name=source, daemon=True)
        self._source, self._target = source, target
        self._reader = committed_reader(bootstrap, source)
        self._producer = transactional_producer({"bootstrap.servers": bootstrap}, source)
        self._producer.init_transactions(REQUEST_SECONDS * 3)
        self._done = threading.Event()

    def run(self) -> None:
        """Runs until the context ends."""
        while not self._done.is_set():
            message = self._reader.poll(0.05)
            if message is not None and message.error() is None:
                self._pass_on(message)

    def _pass_on(self, message: Any) -> None:
        producer = self._producer
        producer.begin_transaction()
        producer.produce(self._target, message.value())
        producer.flush()
        position = confluent_kafka.TopicPartition(self._source, 0, message.offset() + 1)
        producer.send_offsets_to_transaction([position], self._reader.consumer_group_metadata(), REQUEST_SECONDS)
        producer.commit_transaction(REQUEST_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()
        self._reader.close()


def measure(bootstrap: str, name: str, seconds: float) -> HopFloor:
    """Sends one record after the other through the hops.

    Raises:
        TimeoutError: A record did not arrive.
    """
    topics = [f"{name}.{number}" for number in range(HOPS + 1)]
    client = admin({"bootstrap.servers": bootstrap})
    for future in client.create_topics([NewTopic(topic, 1, 1) for topic in topics]).values():
        future.result()
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "linger.ms": 1})
    waits: list[float] = []
    with contextlib.ExitStack() as stack:
        for source, target in itertools.pairwise(topics):
            stack.enter_context(Hop(bootstrap, source, target))
        reader = committed_reader(bootstrap, topics[-1])
        stack.callback(reader.close)
        until = time.monotonic() + seconds
        while time.monotonic() < until or len(waits) <= WARM_UP:
            waits.append(_passed(producer, reader, topics[0]))
    producer.flush(REQUEST_SECONDS)
    counted = sorted(waits[WARM_UP:])
    return HopFloor(HOPS, len(counted), counted[len(counted) // 2] * 1000, counted[int(len(counted) * 0.99)] * 1000)


def _passed(producer: confluent_kafka.Producer, reader: confluent_kafka.Consumer, topic: str) -> float:
    """Returns the seconds from a record's way into the producer until it has come out behind the last hop."""
    sent = time.monotonic()
    producer.produce(topic, b"record")
    producer.poll(0)
    while time.monotonic() < sent + TIMEOUT_SECONDS:
        message = reader.poll(0.05)
        if message is not None and message.error() is None:
            return time.monotonic() - sent
    message = "a record did not pass the hops in time"
    raise TimeoutError(message)


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hop_floor", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    with broker(Settings()) as running:
        print(f"broker: {running.description}; load {os.getloadavg()[0]:.1f}", flush=True)
        print(measure(running.bootstrap_servers, f"bench-hops-{time.time_ns()}", options.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
