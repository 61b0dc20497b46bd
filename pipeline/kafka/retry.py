"""Repeats calls whose errors are transient: a leader election, a loading coordinator, a full producer queue."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline.retries import RetryingCaller

TIMEOUT_SECONDS: Final = 15.0
"""How long a request is repeated by default."""
WAIT_SECONDS: Final = 0.1
"""Wait before the first repetition, and for space in a producer's queue."""
PASSING: Final = frozenset({
    KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
})  # fmt: skip
"""Codes of transient errors. Needed because librdkafka marks errors as retriable in transactions only."""
NO_BROKER_CODES: Final = frozenset({
    KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE,
})  # fmt: skip
"""librdkafka's codes for "no broker answers"."""

_Result = TypeVar("_Result")


def is_passing(error: Exception) -> bool:
    """Returns whether the same call may be repeated: the error is retriable, or its code is in ``PASSING``."""
    return isinstance(error, KafkaException) and (bool(error.args[0].retriable()) or error.args[0].code() in PASSING)


def retrying(call: Callable[[], _Result], timeout_seconds: float = TIMEOUT_SECONDS) -> _Result:
    """Returns the result of ``call``, repeating the call while it raises transient errors.

    Raises:
        KafkaException: The error is not transient, or did not pass within ``timeout_seconds``.
    """
    attempts = RetryingCaller(
        attempts=None, timeout=timeout_seconds, wait_initial=WAIT_SECONDS, wait_max=1.0, wait_jitter=WAIT_SECONDS
    )
    return attempts(is_passing, call)


def produce_when_free(
    producer: Producer,
    topic: str,
    value: bytes | None,
    key: bytes | str | None,
    *,
    headers: Sequence[tuple[str, str | bytes | None]] | None = None,
    on_delivery: Callable[[KafkaError | None, Message], None] | None = None,
) -> None:
    """Queues a record, serving delivery reports while the producer's queue is full.

    Raises:
        KafkaException: The producer was fenced or failed for good.
    """
    while True:
        try:
            producer.produce(topic, value, key, headers=list(headers) if headers else None, on_delivery=on_delivery)
            return
        except BufferError:
            producer.poll(WAIT_SECONDS)
