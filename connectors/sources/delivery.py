"""Writes records and the position after them in one Kafka transaction, so that a file resumes exactly.

The position is the committed offset of a consumer group without members: the record number is the offset, the byte
offset its metadata. It is committed together with the records or not at all, so kill -9 at any moment leaves neither a
gap nor a repetition.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from connectors.sources.outgoing import Outgoing
from connectors.sources.record import Position
from pipeline.errors import OperatorError
from pipeline.kafka.transactions import Transactions

BATCHING: Final = {"linger.ms": 20, "queue.buffering.max.messages": 100_000}
TAKEN_OVER: Final = frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH})


class DeliveryError(OperatorError):
    """A chunk was not committed and nothing of it is visible.

    Operator action: check the broker, then run the same command again; it continues after the last committed chunk.
    """


class Delivery:
    """The transactions of one file. ``name`` identifies the file; a second delivery of the same name fences the first.

    Raises:
        DeliveryError: Kafka does not answer or refuses transactions.
    """

    def __init__(self, kafka: Mapping[str, str | int], name: str, position_topic: str) -> None:
        self._place = (position_topic, 0)
        with _explained():
            self._transactions = Transactions(kafka, name, BATCHING)

    def position(self) -> Position:
        """Returns the position that Kafka holds for this name, or the beginning if it holds none or has expired it."""
        with _explained():
            committed = self._transactions.committed([TopicPartition(*self._place)])[0]
        metadata = committed.metadata or ""
        known = committed.offset >= 0 and metadata.isdecimal()
        return Position(committed.offset, int(metadata)) if known else Position()

    def add(self, record: Outgoing) -> None:
        """Adds a record to the open chunk, waiting while librdkafka's queue is full.

        Raises:
            DeliveryError: The chunk is lost, for example because another delivery of this name took over.
        """
        with _explained():
            self._transactions.produce(record.topic, record.value, record.key)

    def commit(self, position: Position) -> None:
        """Makes the chunk and the position behind it visible, both or neither.

        Raises:
            DeliveryError: Neither is visible.
        """
        with _explained():
            self._transactions.commit([TopicPartition(*self._place, position.number, str(position.offset))])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Aborts the open chunk."""
        self._transactions.__exit__(kind, error, trace)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise DeliveryError(_reason(error.args[0])) from error


def _reason(problem: KafkaError) -> str:
    if problem.code() in TAKEN_OVER:
        return (
            "another ingest of this file has taken over; let it run, it continues after the last chunk committed here"
        )
    return str(problem.str())
