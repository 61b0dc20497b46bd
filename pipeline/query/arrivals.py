"""Follows events as they come in, each with what becomes of it, over the topics and the group's committed offsets."""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Final, Self

from confluent_kafka import TopicPartition

from pipeline.avro.registry import schema_ids
from pipeline.kafka.clients import group_offsets
from pipeline.kafka.follow import Follower, Place
from pipeline.kafka.reading import REQUEST_SECONDS, partitions_of
from pipeline.kafka.retry import retrying
from pipeline.query.fates import Fate, Fates
from pipeline.settings import Settings

POLL_SECONDS: Final = 0.2


class Arrivals:
    """The events of one source, or of all. Use as a context manager.

    Raises:
        MissingTopicError: a topic does not exist.
        RegistryError: the schema registry did not answer or refused.
        KafkaException: the broker did not answer or refused (from every method).
    """

    def __init__(self, settings: Settings, source: str = "", *, from_start: bool = False) -> None:
        """``source`` "": all sources."""
        kafka = settings.kafka()
        self._fates = Fates(schema_ids(settings.schema_registry_url), settings.topic_prefix, source)
        topics = self._fates.event_topics
        self._places = [
            TopicPartition(topic, number) for topic in topics for number in range(partitions_of(kafka, topic))
        ]
        self._group = group_offsets(kafka, settings.application_id)
        self._follower = Follower(kafka, self._fates.topics, from_start=from_start)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._follower.close()
        self._group.close()

    @property
    def pending(self) -> int:
        """Returns the number of events without a fate."""
        return self._fates.pending

    def step(self) -> Iterator[Fate]:
        """Yields the events whose fates become known in one round.

        1. Note the group's committed offsets, and then the ends of the topics.
        2. Read up to these ends. Touches and quarantined records show fates.
        3. What is before the offsets and has shown none is a duplicate.
        """
        # 1. offsets and ends
        answer = retrying(lambda: self._group.committed(self._places, REQUEST_SECONDS))
        committed: Mapping[Place, int] = {(tp.topic, tp.partition): tp.offset for tp in answer}
        ends = self._follower.ends()
        # 2. read
        yield from self._fates.feed(self._follower.poll(POLL_SECONDS))
        while not self._follower.has_reached(ends):
            yield from self._fates.feed(self._follower.poll(POLL_SECONDS))
        # 3. duplicates
        yield from self._fates.passed(committed)
