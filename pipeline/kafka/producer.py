"""The transactional producer, as far as a unit of work uses one; in memory: :class:`~pipeline.testing.producer`."""

from collections.abc import Callable
from typing import Any, Protocol

import confluent_kafka


class Producer(Protocol):
    """Errors say how to go on: fatal, to be asked again, or settled by an abort.

    Each is a ``confluent_kafka.KafkaException`` around a ``KafkaError``.
    """

    def init_transactions(self, timeout: float = ..., /) -> Any:
        """Fence older holders of the transactional id and settle what they left."""
        ...

    def begin_transaction(self) -> Any:
        """What is produced from now on belongs to a new transaction."""
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
        """Queue a record; BufferError while the queue is full."""
        ...

    def poll(self, timeout: float = ..., /) -> Any:
        """Serve delivery reports."""
        ...

    def flush(self) -> Any:
        """Wait until the brokers have every record, or have refused it, and serve the reports."""
        ...

    def send_offsets_to_transaction(self, positions: list[confluent_kafka.TopicPartition], group: Any, /) -> Any:
        """Move the group's positions with the transaction, if ``group`` is of its current generation."""
        ...

    def commit_transaction(self) -> Any:
        """Decide it."""
        ...

    def abort_transaction(self, timeout: float = ..., /) -> Any:
        """Nothing of it happened."""
        ...
