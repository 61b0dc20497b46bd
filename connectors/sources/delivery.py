"""Records and the position behind them into Kafka in one transaction: a resumed file continues exactly.

The position travels as the committed offset of a consumer group that nobody ever joins (record number as the offset,
byte offset as its metadata). So it is committed with the records or not at all, and a kill -9 at any moment leaves
neither a gap nor a repetition.
"""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from connectors.sources.outgoing import Outgoing
from connectors.sources.record import Position
from pipeline.errors import OperatorError

TIMEOUT_S = 30.0
RETRY_S = 0.1
_Result = TypeVar("_Result")


class DeliveryError(OperatorError):
    """A chunk was not committed and nothing of it is visible.

    Operator action: look at the broker, then run the same command again; it goes on behind the last committed chunk.
    """


class Delivery:
    """The transactions of one file. ``name`` is its own; a second delivery of that name fences the first.

    Raises:
        DeliveryError: Kafka does not answer, or refuses transactions.
    """

    def __init__(self, kafka: Mapping[str, str | int], name: str, position_topic: str) -> None:
        self._place = (position_topic, 0)
        self._open = False
        self._consumer = confluent_kafka.Consumer({**kafka, "group.id": name})
        self._producer = confluent_kafka.Producer(
            {
                **kafka,
                "transactional.id": name,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 20,
                "queue.buffering.max.messages": 100_000,
            }
        )
        self._patiently(lambda: self._producer.init_transactions(TIMEOUT_S))

    def position(self) -> Position:
        """What Kafka committed for this name; the beginning if it knows nothing (any more)."""
        found = self._patiently(lambda: self._consumer.committed([TopicPartition(*self._place)], timeout=TIMEOUT_S))[0]
        metadata = found.metadata or ""
        return Position(found.offset, int(metadata)) if found.offset >= 0 and metadata.isdecimal() else Position()

    def add(self, record: Outgoing) -> None:
        """Hand a record to the open chunk, waiting while librdkafka's queue is full.

        Raises:
            DeliveryError: the chunk is lost, for example because another delivery of this name took over.
        """
        self._begin()
        while True:
            try:
                self._producer.produce(record.topic, record.value, record.key)
            except BufferError:
                self._producer.poll(RETRY_S)
            except KafkaException as error:
                raise DeliveryError(_said(error.args[0])) from error
            else:
                return

    def commit(self, position: Position) -> None:
        """Make the chunk and the position behind it visible, both or neither.

        Raises:
            DeliveryError: neither is.
        """
        self._begin()
        place = TopicPartition(*self._place, position.number, str(position.offset))
        group = self._consumer.consumer_group_metadata()
        self._patiently(lambda: self._producer.send_offsets_to_transaction([place], group, TIMEOUT_S))
        self._patiently(lambda: self._producer.commit_transaction(TIMEOUT_S))
        self._open = False

    def _begin(self) -> None:
        if not self._open:
            self._patiently(self._producer.begin_transaction)
            self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Abort what is open; a killed process is aborted by its successor or by Kafka's transaction timeout."""
        self._consumer.close()
        if self._open:
            try:
                self._producer.abort_transaction(TIMEOUT_S)
            except KafkaException:
                return  # fenced or unreachable: the broker aborts it

    def _patiently(self, call: Callable[[], _Result]) -> _Result:
        """Repeat what Kafka calls retriable (a coordinator that is just being elected, say) for a while."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return call()
            except KafkaException as error:
                problem: KafkaError = error.args[0]
                if not _may_retry(problem) or time.monotonic() > deadline:
                    raise DeliveryError(_said(problem)) from error
                time.sleep(RETRY_S)


def _said(problem: KafkaError) -> str:
    if problem.code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH):
        return "another ingest of this file has taken over; let it run, it goes on where this one committed last"
    return str(problem.str())


def _may_retry(problem: KafkaError) -> bool:
    elections = (
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
    )
    return bool(problem.retriable()) or problem.code() in elections
