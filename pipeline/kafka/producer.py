"""The part of the transactional producer that a unit of work uses. :mod:`pipeline.testing.producer` is its twin."""

from collections.abc import Callable
from typing import Any, Protocol

import confluent_kafka


class Producer(Protocol):
    """A transactional producer.

    Every error is a ``confluent_kafka.KafkaException`` with a ``KafkaError`` that states the remedy: ``retriable()``
    repeats the call, ``txn_requires_abort()`` aborts the transaction, ``fatal()`` needs a new producer.
    """

    def init_transactions(self, timeout: float = ..., /) -> Any:
        """Fences older producers with the same transactional id and completes or aborts their open transaction."""
        ...

    def begin_transaction(self) -> Any:
        """Opens a transaction, to which all records produced from now on belong."""
        ...

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | str | None,
        partition: int,
        on_delivery: Callable[[Any, Any], None] | None,
        /,
        *,
        headers: Any = ...,
    ) -> Any:
        """Queues a record. Raises BufferError while the queue is full."""
        ...

    def poll(self, timeout: float = ..., /) -> Any:
        """Serves delivery reports."""
        ...

    def flush(self, timeout: float = ..., /) -> Any:
        """Waits until the brokers have accepted or refused every record, and serves the delivery reports.

        Returns the number of records that are neither.
        """
        ...

    def send_offsets_to_transaction(
        self, positions: list[confluent_kafka.TopicPartition], group: Any, timeout: float = ..., /
    ) -> Any:
        """Adds the group's offsets to the transaction. Fails if ``group`` is not of the group's current generation."""
        ...

    def commit_transaction(self, timeout: float = ..., /) -> Any:
        """Commits the open transaction."""
        ...

    def abort_transaction(self, timeout: float = ..., /) -> Any:
        """Aborts the open transaction."""
        ...
