"""The floor under STITCH on Kafka: a bare loop that reads each link and sends the records it leads to."""

import time
from collections.abc import Sequence

import confluent_kafka

from pipeline.settings import Settings
from pipeline.state.partition import changelog_key
from pipeline.topics import DLQ
from tests.bench.stitch_core import BATCH, WARM_UP_SHARE, stage

QUIET_SECONDS = 30.0
Record = tuple[bytes | str | None, bytes | None]
"""Key and value."""


def records_of(links: Sequence[bytes]) -> list[Record]:
    """What the stage sends for encoded links, its changelog included: the real keys and values."""
    found: list[Record] = []
    built, take = stage(emit=lambda _topic, key, value, _headers=None: found.append((key, value)))
    take(links)
    return found + [(changelog_key(change), change.value) for change in built.state.changes()]


def relay(settings: Settings, place: confluent_kafka.TopicPartition, links: Sequence[bytes]) -> tuple[float, float]:
    """Links a CPU second of all threads behind the warm-up, and the records sent for each; no transaction.

    Raises:
        TimeoutError: the links are not on the topic.
    """
    sample = records_of(links[:BATCH])
    each = len(sample) / BATCH
    producer = confluent_kafka.Producer(
        {**settings.kafka(), "linger.ms": 50, "compression.type": "lz4", "queue.buffering.max.messages": 5_000_000}
    )
    consumer = confluent_kafka.Consumer({**settings.kafka(), "group.id": "relay"})
    consumer.assign([confluent_kafka.TopicPartition(place.topic, place.partition, 0)])
    target, taken, warm_up = DLQ.of(settings.topic_prefix), 0, len(links) // WARM_UP_SHARE
    started, began = 0.0, 0
    deadline = time.monotonic() + QUIET_SECONDS
    while taken < len(links):
        if time.monotonic() > deadline:
            message = f"no more links after {taken} of {len(links)}"
            raise TimeoutError(message)
        found = consumer.consume(BATCH, 0.2)
        if found:
            deadline = time.monotonic() + QUIET_SECONDS
        for number in range(taken, taken + len(found)):
            place_in = number % BATCH
            for key, value in sample[int(place_in * each) : int((place_in + 1) * each)]:
                producer.produce(target, value, key)
        producer.poll(0)
        taken += len(found)
        if not started and taken >= warm_up:
            started, began = time.process_time(), taken
    producer.flush(60)
    rate = (taken - began) / (time.process_time() - started)
    consumer.close()
    return rate, each
