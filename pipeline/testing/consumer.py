"""A read-committed consumer of one partition of Kafka in memory, for restores from a changelog."""

from collections.abc import Callable

import confluent_kafka

from pipeline.testing.kafka import MemoryKafka
from pipeline.testing.log import MemoryRecord
from pipeline.testing.transactions import MemoryPartition


class EndOfPartition:
    """The end-of-partition message: a position without a record."""

    def __init__(self, partition: MemoryPartition, offset: int) -> None:
        self._partition, self._offset = partition, offset

    def error(self) -> confluent_kafka.KafkaError:
        return confluent_kafka.KafkaError(confluent_kafka.KafkaError._PARTITION_EOF)

    def topic(self) -> str:
        return self._partition.topic

    def partition(self) -> int:
        return self._partition.number

    def offset(self) -> int:
        return self._offset


def _no_interruption(_partition: MemoryPartition, _waits: bool) -> None:
    """Does nothing between two fetches."""


class MemoryConsumer:
    """Calls ``between`` before each fetch, with whether an unsettled transaction leaves nothing to fetch.

    ``max_records`` limits a fetch, so that a test can act between two fetches of one restore.
    """

    def __init__(
        self,
        kafka: MemoryKafka,
        between: Callable[[MemoryPartition, bool], None] = _no_interruption,
        max_records: int = 1 << 30,
    ) -> None:
        self._kafka, self._between, self._max_records = kafka, between, max_records
        self._at = 0
        self._reached_ends = -1

    def assign(self, positions: list[confluent_kafka.TopicPartition]) -> None:
        (position,) = positions
        self._partition = self._kafka.topic(position.topic)[position.partition]
        self._at = position.offset

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[MemoryRecord | EndOfPartition]:  # noqa: ARG002
        partition = self._partition
        # A position may lie behind the last stable offset: a transaction that began earlier may still be unsettled.
        self._between(partition, partition.stable_end < partition.end and self._at >= partition.stable_end)
        records, self._at = partition.committed(self._at, min(num_messages, self._max_records))
        messages: list[MemoryRecord | EndOfPartition] = [*records]
        if self._at == partition.stable_end != self._reached_ends:
            self._reached_ends = self._at
            messages.append(EndOfPartition(partition, self._at))
        return messages

    def close(self) -> None:
        """Does nothing."""
