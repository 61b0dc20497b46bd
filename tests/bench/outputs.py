"""What an engine has published: the last committed record of each key, and Stitchline's customers in it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import confluent_kafka

from pipeline.avro.wire import Decoder
from pipeline.kafka.clients import reader
from pipeline.settings import Settings
from pipeline.topics import ACTIONS, UPDATES
from tests.bench.workloads import Customer

TIMEOUT_SECONDS = 60.0
Value = TypeVar("Value")


class WrongOutputError(AssertionError):
    """An engine's output differs from the truth, so that its figure does not count."""


def last_values(settings: Settings, topic: str) -> dict[bytes, bytes]:
    """Returns the last committed value of each key, up to the ends of the topic now."""
    return {key: value for key, value, _ in records(settings, topic)}


def records(settings: Settings, topic: str) -> Iterator[tuple[bytes, bytes, int]]:
    """Yields key, value and size in bytes of each committed record, up to the ends of the topic now."""
    consumer = reader(settings.kafka())
    places = [confluent_kafka.TopicPartition(topic, number, 0) for number in range(settings.partitions)]
    consumer.assign(places)
    open_partitions = set(range(settings.partitions))
    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        while open_partitions:
            if time.monotonic() > deadline:
                message = f"{topic} was not read within {TIMEOUT_SECONDS:.0f} s"
                raise TimeoutError(message)
            for message in consumer.consume(10_000, 0.2):
                if message.error() is None:
                    yield (
                        message.key() or b"",
                        message.value() or b"",
                        len(message.key() or b"") + len(message.value() or b""),
                    )
                elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    open_partitions.discard(message.partition())
    finally:
        consumer.close()


def stitchline_updates(settings: Settings) -> list[dict[str, Any]]:
    """Returns the last update of each active profile."""
    decode = Decoder(UPDATES.value)
    updates = [decode(value) for value in last_values(settings, UPDATES.of(settings.topic_prefix)).values()]
    return [update for update in updates if update["status"] == "active"]


def stitchline_customers(settings: Settings) -> dict[str, Customer]:
    """Returns what Stitchline found out about each customer, by user id."""
    decode = Decoder(ACTIONS.value)
    actions = map(decode, last_values(settings, ACTIONS.of(settings.topic_prefix)).values())
    leading = {ident for action in actions for ident in action["identifiers"]}  # its profile may have merged since
    customers = {}
    for update in stitchline_updates(settings):
        (user,) = (text.partition(":")[2] for text in update["identifiers"] if text.startswith("user_id:"))
        totals = Counter({name: windows["lifetime"] for name, windows in update["aggregates"].items()})
        customers[user] = Customer(
            totals["events"], totals["products_viewed"], totals["orders"], totals["spent.EUR"],
            is_lead=f"user_id:{user}" in leading,
        )  # fmt: skip
    return customers


def wait_until_right(read: Callable[[], Mapping[str, Value]], truth: Mapping[str, Value]) -> None:
    """Waits until the output equals the truth. An engine may publish a moment after it has committed its input.

    Raises:
        WrongOutputError: It differs after ``TIMEOUT_SECONDS``.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (found := read()) != truth:
        if time.monotonic() > deadline:
            wrong = sorted(user for user in {*truth, *found} if truth.get(user) != found.get(user))
            example = wrong[0]
            message = f"{len(wrong)} customers are wrong, as {example}: {found.get(example)} for {truth.get(example)}"
            raise WrongOutputError(message)
        time.sleep(0.5)
