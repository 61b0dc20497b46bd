"""Reads a topic from an offset to its current end, read-committed, without a consumer group."""

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
"""Longer than a killed worker's transaction stays open: its timeout of 15 s, plus up to 10 s until Kafka checks it."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with the number of offsets passed and the number to pass in all."""


def silent(_passed: int, _all: int) -> None:
    """A ``Progress`` that shows nothing."""


class MissingTopicError(OperatorError):
    """The topic does not exist.

    Operator action: start a worker or run ``stitchline topics create``, or correct STITCHLINE_TOPIC_PREFIX.
    """


def partitions_of(config: Mapping[str, str | int], topic: str) -> int:
    """Returns the number of partitions of a topic. Never creates the topic.

    Raises:
        MissingTopicError: the topic does not exist.
        KafkaException: the broker did not answer.
    """
    # All topics' metadata: a request for one name would create the topic on brokers with auto.create.topics.enable.
    metadata = admin(config).list_topics(timeout=REQUEST_SECONDS).topics.get(topic)
    if metadata is None:
        message = f"no topic {topic}: start a worker, or run: stitchline topics create"
        raise MissingTopicError(message)
    return len(metadata.partitions)


class Reading:
    """One pass over partitions of a topic, from ``begin`` to the end offsets at the start of the pass.

    A partition starts at its earliest offset if ``begin`` lies before it. The end is the high watermark, not the last
    stable offset: the pass waits for a transaction that is committed but whose markers are not written yet. Records
    beyond the end may be returned too.
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
        """Reads the end offsets.

        ``begin`` holds offsets by partition; a missing partition starts at its earliest offset. ``last_offsets`` is the
        maximum number of offsets read of each partition; 0 for no limit. ``timeout_seconds`` is how long
        :meth:`batches` waits without progress.

        Raises:
            KafkaException: the broker refused.
        """
        self._config, self._topic, self._progress, self._timeout_seconds = config, topic, progress, timeout_seconds
        earliest = _offsets(config, topic, partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        self.ends = _offsets(config, topic, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        """End offset of each partition at the start of the pass."""
        self._begin = {p: max(at, (begin or {}).get(p, at)) for p, at in earliest.items()}
        if last_offsets:
            self._begin = {p: max(at, self.ends[p] - last_offsets) for p, at in self._begin.items()}
        self.reached = dict(self._begin)
        """Next offset per partition: one past the last record returned, or past the transaction markers after it."""

    def open(self) -> list[int]:
        """Returns the partitions whose end is not reached. After the pass: those that end in an open transaction."""
        return [partition for partition, at in self.reached.items() if at < self.ends[partition]]

    def batches(self) -> Iterator[list[Message]]:
        """Yields the records in batches, in each partition's order. Stops after ``timeout_seconds`` without progress.

        Raises:
            KafkaException: the broker refused.
        """
        if not self.open():
            return
        # The fetch wait is short because the end lies behind a transaction marker, which only an empty fetch passes.
        consumer = reader(self._config, {"fetch.wait.max.ms": 20})
        try:
            consumer.assign([TopicPartition(self._topic, p, self.reached[p]) for p in self.open()])
            yield from self._until_ends(consumer)
        finally:
            consumer.close()

    def _until_ends(self, consumer: confluent_kafka.Consumer) -> Iterator[list[Message]]:
        deadline = time.monotonic() + self._timeout_seconds
        while self.open() and time.monotonic() < deadline:
            before = sum(self.reached.values())
            records = [m for m in consumer.consume(BATCH_RECORDS, POLL_SECONDS) if self._is_record(m)]
            if records:
                yield records
            if sum(self.reached.values()) > before:
                deadline = time.monotonic() + self._timeout_seconds
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
    client = admin(config)  # keeps the client alive until its futures are done
    requested = {TopicPartition(topic, partition): spec for partition in partitions}

    def list_offsets() -> dict[int, int]:
        futures = client.list_offsets(
            requested, isolation_level=confluent_kafka.IsolationLevel.READ_UNCOMMITTED, request_timeout=REQUEST_SECONDS
        )
        return {place.partition: int(answer.result(REQUEST_SECONDS).offset) for place, answer in futures.items()}

    return retrying(list_offsets)
