"""Compares the event topics with what the producers sent: sequence numbers lost or out of order per key."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import cast

from confluent_kafka import Message

from pipeline.chaos.comparison import Comparison, comparison
from pipeline.chaos.day import Sent
from pipeline.chaos.producers import PRODUCER, SEQUENCE
from pipeline.chaos.topics_read import records
from pipeline.settings import Settings
from pipeline.topics import EVENTS


def check_input(settings: Settings, day: Sequence[Sent]) -> tuple[Comparison, int]:
    """Every event of the day is on its topic, and those of one key and topic in their order.

    Returns the number of events that are on their topic more than once, too. That is no difference: a producer whose
    broker is killed may deliver a record again, and INTAKE drops it by its message id.
    """
    messages = [message for topic in EVENTS.values() for message in records(settings, topic)]
    compared = comparison("events on Kafka and events sent", len(messages), _differences(messages, day))
    return compared, len(messages) - len({_number(message) for message in messages})


def _differences(messages: Sequence[Message], day: Sequence[Sent]) -> Iterator[str]:
    seen: Counter[tuple[str, int]] = Counter()
    last: dict[tuple[str | None, bytes | None], int] = {}
    for message in messages:
        producer, sequence = _number(message)
        seen[producer, sequence] += 1
        way = message.topic(), message.key()
        if seen[producer, sequence] == 1 and sequence < last.get(way, -1):
            yield f"out of order: {producer}, sequence {sequence} after {last[way]} under key {message.key()!r}"
        last[way] = max(sequence, last.get(way, -1))
    if len(seen) < len(day):
        yield f"lost: {len(day) - len(seen)} of {len(day)} events are on no topic"


def _number(message: Message) -> tuple[str, int]:
    """Returns the producer and the sequence number of a record of the input."""
    headers = cast("list[tuple[str, bytes]]", message.headers() or [])
    facts = {name: value.decode() for name, value in headers}
    return facts[PRODUCER], int(facts[SEQUENCE])
