"""Records and a position in one Kafka transaction, for commands that deliver a file or replay a topic.

The position is the committed offset of a consumer group that no client joins. It is committed with the records or not
at all, so a kill -9 at any moment leaves neither a gap nor a duplicate. The worker's own transactions, which also hold
changelog records, are in :mod:`pipeline.stream.unit_of_work`.
"""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from pipeline.kafka.clients import Config, group_offsets, transactional_producer
from pipeline.kafka.retry import produce_when_free, retrying
from pipeline.kafka.time_limit import call_within

REQUEST_SECONDS: Final = 30.0
SETTLE_SECONDS: Final = 60.0
"""How long a commit is repeated while its error is retriable, so that its outcome is definite."""


class Positions:
    """Reads the committed offsets of a consumer group that no client joins. Use as a context manager.

    Raises:
        KafkaException: The broker did not answer or refused (from every method).
    """

    def __init__(self, config: Config, name: str) -> None:
        self._offsets = group_offsets(config, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def committed(self, places: list[TopicPartition]) -> list[TopicPartition]:
        """Returns the committed offset and metadata of each partition; a negative offset if none is committed."""
        return retrying(lambda: self._offsets.committed(places, timeout=REQUEST_SECONDS))

    def close(self) -> None:
        """Closes the connections."""
        self._offsets.close()


class Transactions(Positions):
    """Transactions under one name, one at a time. A second instance with the same name fences the first.

    Leaving the context manager aborts the open transaction.

    Raises:
        KafkaException: The broker did not answer or refused (from every method). Earlier commits remain.
    """

    def __init__(self, config: Config, name: str, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(config, name)
        self._open = False
        self._producer = transactional_producer(config, name, options)
        retrying(lambda: self._producer.init_transactions(REQUEST_SECONDS), SETTLE_SECONDS)

    @property
    def is_open(self) -> bool:
        """Returns whether a transaction is open."""
        return self._open

    def begin(self) -> None:
        """Opens a transaction if none is open."""
        if not self._open:
            self._producer.begin_transaction()
            self._open = True

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | str | None,
        headers: list[tuple[str, str | bytes | None]] | None = None,
    ) -> None:
        """Adds a record, opening a transaction if none is open."""
        self.begin()
        try:
            produce_when_free(self._producer, topic, value, key, headers=headers)
        except KafkaException as error:
            if error.args[0].code() == KafkaError._FATAL:
                self._producer.abort_transaction(REQUEST_SECONDS)  # raises the fatal error itself, such as _FENCED
            raise

    def commit(self, positions: list[TopicPartition]) -> None:
        """Commits the records and the positions in one transaction: both become visible, or neither."""
        self.begin()
        group = self._offsets.consumer_group_metadata()
        _settle(lambda: self._producer.send_offsets_to_transaction(positions, group, REQUEST_SECONDS))
        _settle(lambda: self._producer.commit_transaction(REQUEST_SECONDS))
        self._open = False

    def close(self) -> None:
        """Aborts the open transaction. After a kill, the next instance of the name or the broker's timeout does it."""
        super().close()
        if self._open:
            try:
                call_within(REQUEST_SECONDS, lambda: self._producer.abort_transaction(REQUEST_SECONDS))
            except KafkaException:
                return  # fenced or unreachable: the broker aborts the transaction


def _settle(call: Callable[[], Any]) -> None:
    """Runs a call until its outcome is definite. Its own limit is ``REQUEST_SECONDS``."""
    retrying(lambda: call_within(REQUEST_SECONDS, call), SETTLE_SECONDS)
