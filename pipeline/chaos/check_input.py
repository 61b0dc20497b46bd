"""Compares the event topics with what the producers sent: sequence numbers lost, doubled, out of order per key."""

from collections import Counter
from collections.abc import Iterator, Sequence

from confluent_kafka import Message

from pipeline.chaos.comparison import Comparison, comparison
from pipeline.chaos.day import Sent
from pipeline.chaos.producers import PRODUCER, SEQUENCE
from pipeline.chaos.topics_read import records
from pipeline.settings import Settings
from pipeline.topics import EVENTS


def check_input(settings: Settings, day: Sequence[Sent]) -> Comparison:
    """Every event of the day is on its topic once, and those of one key and topic in their order."""
    messages = [message for topic in EVENTS.values() for message in records(settings, topic)]
    return comparison("events on Kafka and events sent", len(messages), _differences(messages, day))


def _differences(messages: Sequence[Message], day: Sequence[Sent]) -> Iterator[str]:
    seen: Counter[tuple[str, int]] = Counter()
    last: dict[tuple[str | None, bytes | None], int] = {}
    for message in messages:
        facts = {name: value for name, value in message.headers() or []}
        producer, sequence = str(bytes(facts[PRODUCER] or b"").decode()), int(facts[SEQUENCE] or -1)
        seen[producer, sequence] += 1
        way = message.topic(), message.key()
        if sequence <= last.get(way, -1):
            yield f"out of order: producer {producer}, sequence {sequence} after {last[way]} under key {message.key()!r}"
        last[way] = sequence
    yield from (f"doubled: producer {name}, sequence {number}: {count} times" for (name, number), count in seen.items() if count > 1)
    if len(seen) < len(day):
        yield f"lost: {len(day) - len(seen)} of {len(day)} events are on no topic"
