"""Read a topic from somewhere to where it ends now, read-committed, without a consumer group."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, TypeAlias

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # public, not re-exported

from pipeline.errors import OperatorError
from pipeline.kafka.clients import admin, reader
from pipeline.kafka.retry import retrying

BATCH_RECORDS: Final = 10_000
POLL_SECONDS: Final = 0.2
REQUEST_SECONDS: Final = 30.0
TIMEOUT_SECONDS: Final = 30.0
"""Longer than the transaction of a killed worker stays open: its timeout of 15 s, and up to 10 s until Kafka looks."""

Progress: TypeAlias = Callable[[int, int], None]
"""Offsets passed and offsets to pass, now and then."""


def silent(_passed: int, _all: int) -> None:
    """No progress is shown."""


class MissingTopicError(OperatorError):
    """The topic is not there.

    Operator action: start a worker or run ``stitchline topics create``, or correct STITCHLINE_TOPIC_PREFIX.
    """


def partitions_of(config: Mapping[str, str | int], topic: str) -> int:
    """How many partitions a topic has; asking does not create it.

    Raises:
        MissingTopicError: there is no such topic.
        KafkaException: the broker did not answer.
    """
    metadata = admin(config).list_topics(timeout=REQUEST_SECONDS).topics.get(topic)
    if metadata is None:
        message = f"no topic {topic}: start a worker, or run: stitchline topics create"
        raise MissingTopicError(message)
    return len(metadata.partitions)


class Reading:
    """One pass over partitions of a topic, from ``begin`` (or what is left of it) to the ends of the moment it starts.

    The end is the high watermark, so what a transaction has written that is decided but not yet marked is waited for.
    Records beyond the end may be handed out too.
    """

    def __init__(
        self,
        config: Mapping[str, str | int],
        topic: str,
        partitions: Collection[int],
        *,
        begin: Mapping[int, int] | None = None,
        last_offsets: int = 0,
        progress: Progress = silent,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """``begin``: offset by partition, the earliest where it says none. ``last_offsets``: only so many of each.

        Raises:
            KafkaException: The broker refused.
        """
        self._config, self._topic, self._progress, self._patience_seconds = config, topic, progress, timeout_seconds
        earliest = _offsets(config, topic, partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        self.ends = _offsets(config, topic, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        """Where each partition ended when the pass began."""
        self._begin = {p: max(at, (begin or {}).get(p, at)) for p, at in earliest.items()}
        if last_offsets:
            self._begin = {p: max(at, self.ends[p] - last_offsets) for p, at in self._begin.items()}
        self.reached = dict(self._begin)
        """Offset behind the last record handed out, or behind the transaction markers after it."""

    def open(self) -> list[int]:
        """The partitions whose end is not reached; after the pass, those that end in a transaction nobody ended."""
        return [partition for partition, at in self.reached.items() if at < self.ends[partition]]

    def batches(self) -> Iterator[list[Message]]:
        """The records, in each partition's order. Gives up where nothing comes for longer than the patience.

        Raises:
            KafkaException: the broker refused.
        """
        if not self.open():
            return
        # A short wait: the end lies behind a transaction marker, which only an empty answer passes.
        consumer = reader(self._config, {"fetch.wait.max.ms": 20})
        try:
            consumer.assign([TopicPartition(self._topic, p, self.reached[p]) for p in self.open()])
            yield from self._until_ends(consumer)
        finally:
            consumer.close()

    def _until_ends(self, consumer: confluent_kafka.Consumer) -> Iterator[list[Message]]:
        deadline = time.monotonic() + self._patience_seconds
        while self.open() and time.monotonic() < deadline:
            before = sum(self.reached.values())
            records = [m for m in consumer.consume(BATCH_RECORDS, POLL_SECONDS) if self._is_record(m)]
            if records:
                yield records
            if sum(self.reached.values()) > before:
                deadline = time.monotonic() + self._patience_seconds
            self._progress(*self._passed())

    def _is_record(self, message: Message) -> bool:
        error, partition, offset = message.error(), message.partition() or 0, message.offset() or 0
        if error is None:
            self.reached[partition] = offset + 1
            return True
        if error.code() == KafkaError._PARTITION_EOF:
            self.reached[partition] = max(offset, self.reached[partition])
        elif error.fatal() or not error.retriable():
            raise KafkaException(error)
        return False

    def _passed(self) -> tuple[int, int]:
        passed = sum(min(at, self.ends[p]) - self._begin[p] for p, at in self.reached.items())
        return passed, sum(self.ends[p] - at for p, at in self._begin.items() if at < self.ends[p])


def _offsets(
    config: Mapping[str, str | int], topic: str, partitions: Collection[int], spec: OffsetSpec
) -> dict[int, int]:
    client = admin(config)  # must outlive its answers
    requested = {TopicPartition(topic, partition): spec for partition in partitions}

    def ask() -> dict[int, int]:
        futures = client.list_offsets(
            requested, isolation_level=confluent_kafka.IsolationLevel.READ_UNCOMMITTED, request_timeout=REQUEST_SECONDS
        )
        return {place.partition: int(answer.result(REQUEST_SECONDS).offset) for place, answer in futures.items()}

    return retrying(ask)
