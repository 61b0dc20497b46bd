"""How the read side talks to Kafka: quietly, and with patience while a broker elects."""

import time
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from confluent_kafka import KafkaError, KafkaException

PATIENCE_SECONDS: Final = 15.0
RETRY_SECONDS: Final = 0.1
PASSING: Final = frozenset({
    KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
})  # fmt: skip
"""The client marks errors as retriable in transactions only."""

_Result = TypeVar("_Result")


def quiet(kafka: Mapping[str, str | int]) -> dict[str, str | int | float | bool]:
    """Without librdkafka's own lines on standard error, which tear a screen apart; errors come as exceptions anyway."""
    return {**kafka, "log_level": 2}


def patiently(call: Callable[[], _Result]) -> _Result:
    """Repeat what passes by itself: a topic was just made, or a broker just started.

    Raises:
        KafkaException: it stayed that way, or was never retriable.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return call()
        except KafkaException as error:
            if error.args[0].code() not in PASSING or time.monotonic() > deadline:
                raise
            time.sleep(RETRY_SECONDS)
