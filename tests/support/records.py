"""Records of a test on the broker: written by one producer, read as committed, from the first to the last."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import confluent_kafka

from pipeline.settings import Settings
from pipeline.topics import Topic
from tests.support.waiting import deadline_seconds

MAX_BYTES = 17 << 20


class Sent(NamedTuple):
    """A record to write, or one that was written."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


Place = tuple[int, int]
"""Partition and offset."""


def send(settings: Settings, topic: Topic, records: Iterable[Sent]) -> dict[Place, Sent]:
    """Write records in order, partitioned as Stitchline's producers do; where each one is now."""
    producer = confluent_kafka.Producer(
        {**settings.kafka(), "partitioner": "murmur2_random", "linger.ms": 20, "message.max.bytes": MAX_BYTES}
    )
    placed: dict[Place, Sent] = {}
    name = topic.of(settings.topic_prefix)
    for record in records:

        def delivered(error: Any, message: Any, record: Sent = record) -> None:
            assert error is None, error
            placed[message.partition(), message.offset()] = record

        producer.produce(name, record.value, record.key, headers=list(record.headers), on_delivery=delivered)
        producer.poll(0)
    assert producer.flush(deadline_seconds()) == 0
    return placed


def committed(settings: Settings, topic: Topic) -> list[Any]:
    """Every record of a topic that a read-committed consumer sees, partition by partition, up to its end now."""
    consumer = confluent_kafka.Consumer(
        {
            **settings.kafka(),
            "group.id": "unused",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    name = topic.of(settings.topic_prefix)
    places = [confluent_kafka.TopicPartition(name, number, 0) for number in range(settings.partitions)]
    consumer.assign(places)
    result: list[Any] = []
    open_ends = {place.partition for place in places}
    while open_ends:
        for message in consumer.consume(5000, 0.2):
            error = message.error()
            if error is None:
                result.append(message)
            else:
                assert error.code() == confluent_kafka.KafkaError._PARTITION_EOF, error
                open_ends.discard(message.partition())
    consumer.close()
    return result
