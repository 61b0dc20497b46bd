"""Reads whole topics, read-committed."""

from collections.abc import Iterator

from confluent_kafka import Message

from pipeline.chaos.foreign import is_foreign
from pipeline.kafka.reading import Reading
from pipeline.settings import Settings
from pipeline.stream.watermark import KEY_PREFIX
from pipeline.topics import Topic


def records(settings: Settings, topic: Topic) -> Iterator[Message]:
    """Yields the committed records of a topic in each partition's order, without foreign ones and watermarks."""
    for message in all_records(settings, topic.of(settings.topic_prefix), settings.partitions):
        if not is_foreign(message.key()) and not (message.key() or b"").startswith(KEY_PREFIX):
            yield message


def all_records(settings: Settings, name: str, partitions: int) -> Iterator[Message]:
    """Yields the committed records of a topic by its full name."""
    for batch in Reading(settings.kafka(), name, range(partitions)).batches():
        yield from batch
