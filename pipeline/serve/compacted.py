"""Read a compacted topic to its end: the newest committed value of every key."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple, TypeAlias

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # public, not re-exported

BATCH_RECORDS: Final = 10_000
POLL_SECONDS: Final = 0.2
REQUEST_SECONDS: Final = 30.0
PATIENCE_SECONDS: Final = 10.0

Progress: TypeAlias = Callable[[int, int], None]
"""Offsets passed and offsets to pass, now and then."""
Wanted: TypeAlias = Callable[[bytes], bool]
"""Whether a key is to be kept."""


class MissingTopicError(RuntimeError):
    """The topic is not there.

    Operator action: start a worker or run ``stitchline topics create``, or correct STITCHLINE_TOPIC_PREFIX.
    """


class Snapshot(NamedTuple):
    """What a topic held while it was read. Each partition is at or behind its end; a key is never older than that."""

    rows: dict[bytes, bytes]
    undecided: tuple[int, ...]
    """Partitions whose last records belong to a transaction that stayed open longer than the reader's patience (a
    worker that was killed, until Kafka gives it up). What was committed before it is here."""


def partitions_of(config: Mapping[str, str | int], topic: str) -> int:
    """How many partitions a topic has; asking does not create it.

    Raises:
        MissingTopicError: there is no such topic.
        KafkaException: the broker did not answer.
    """
    found = AdminClient(dict(config)).list_topics(timeout=REQUEST_SECONDS).topics.get(topic)
    if found is None:
        message = f"no topic {topic}: start a worker, or run: stitchline topics create"
        raise MissingTopicError(message)
    return len(found.partitions)


def read_compacted(
    config: Mapping[str, str | int],
    topic: str,
    partitions: Collection[int],
    *,
    wanted: Wanted = lambda _key: True,
    progress: Progress = lambda _passed, _all: None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Snapshot:
    """Read partitions of a topic from the beginning to where they end now, read-committed; tombstones delete.

    The end is the high watermark, so what a transaction has written that is decided but not yet marked is waited for.

    Raises:
        KafkaException: the broker refused.
    """
    reading = _Reading(config, topic, partitions, wanted)
    consumer = confluent_kafka.Consumer(
        {
            **config,
            "group.id": "unused",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,  # the end is behind a marker, which only an empty answer tells
        }
    )
    try:
        consumer.assign([TopicPartition(topic, partition, at) for partition, at in reading.reached.items()])
        patient_until = time.monotonic() + patience_seconds
        while reading.open() and time.monotonic() < patient_until:
            if reading.take(consumer.consume(BATCH_RECORDS, POLL_SECONDS)):
                patient_until = time.monotonic() + patience_seconds
            progress(*reading.passed())
    finally:
        consumer.close()
    return Snapshot(reading.rows, tuple(reading.open()))


class _Reading:
    """How far a read is, and what it has found."""

    def __init__(
        self, config: Mapping[str, str | int], topic: str, partitions: Collection[int], wanted: Wanted
    ) -> None:
        self.rows: dict[bytes, bytes] = {}
        self._wanted = wanted
        self._begin = _offsets(config, topic, partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        self._end = _offsets(config, topic, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        self.reached = dict(self._begin)

    def open(self) -> list[int]:
        """The partitions whose end is not reached."""
        return [partition for partition, at in self.reached.items() if at < self._end[partition]]

    def passed(self) -> tuple[int, int]:
        """Offsets passed, and to pass."""
        passed = sum(min(at, self._end[p]) - self._begin[p] for p, at in self.reached.items())
        return passed, sum(self._end[p] - at for p, at in self._begin.items())

    def take(self, messages: list[Message]) -> bool:
        """Keep what is wanted; whether any partition got further."""
        before = sum(self.reached.values())
        for message in messages:
            error, partition, offset = message.error(), message.partition() or 0, message.offset() or 0
            if error is None:
                self._keep(message.key(), message.value())
                self.reached[partition] = offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
                self.reached[partition] = max(offset, self.reached[partition])  # behind transaction markers too
            elif error.fatal() or not error.retriable():
                raise KafkaException(error)
        return sum(self.reached.values()) > before

    def _keep(self, key: bytes | str | None, value: bytes | str | None) -> None:
        if not isinstance(key, bytes) or not self._wanted(key):
            return
        if isinstance(value, bytes):
            self.rows[key] = value
        else:
            self.rows.pop(key, None)


def _offsets(
    config: Mapping[str, str | int], topic: str, partitions: Collection[int], spec: OffsetSpec
) -> dict[int, int]:
    asked = {TopicPartition(topic, partition): spec for partition in partitions}
    admin = AdminClient(dict(config))  # must outlive its answers
    found = admin.list_offsets(
        asked, isolation_level=confluent_kafka.IsolationLevel.READ_UNCOMMITTED, request_timeout=REQUEST_SECONDS
    )
    return {place.partition: int(answer.result(REQUEST_SECONDS).offset) for place, answer in found.items()}
