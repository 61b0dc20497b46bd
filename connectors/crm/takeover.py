"""Kafka's errors of a process whose transactional id another process has taken over."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from connectors.crm.sink import SinkError

TAKEN_OVER: Final = frozenset({
    KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.INVALID_TXN_STATE,
    KafkaError.TRANSACTION_COORDINATOR_FENCED,
})  # fmt: skip


@contextmanager
def ends_if_taken_over(message: str) -> Iterator[None]:
    """Raises SinkError with ``message`` in place of Kafka's error if another process has taken over."""
    try:
        yield
    except KafkaException as error:
        if error.args[0].code() in TAKEN_OVER:
            raise SinkError(message) from error
        raise
