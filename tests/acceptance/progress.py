"""How far the workers are, as the broker and their metrics know it: what tests wait for."""

from collections.abc import Iterable
from itertools import starmap
from typing import Self

import confluent_kafka
from confluent_kafka import IsolationLevel, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from pipeline.settings import Settings
from pipeline.stream.build import STAGES
from pipeline.topics import Topic
from tests.support.fleet import Fleet
from tests.support.waiting import deadline_seconds

Place = tuple[str, int]


class Progress:
    """A context manager over the clients it asks with."""

    def __init__(self, settings: Settings, fleet: Fleet) -> None:
        self._settings, self._fleet = settings, fleet
        self._admin = AdminClient(settings.kafka())
        inputs = {topic for spec in STAGES.values() for topic in spec.inputs}
        self._inputs = self._places(inputs)
        shared = {**settings.kafka(), "enable.auto.commit": False}
        self._group = confluent_kafka.Consumer({**shared, "group.id": settings.application_id})
        self._reader = confluent_kafka.Consumer(
            {
                **shared,
                "group.id": "unused",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "max.partition.fetch.bytes": 1,  # one record is an answer
                "fetch.wait.max.ms": 10,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._group.close()
        self._reader.close()

    def consumed(self, topic: Topic) -> int:
        """Records of a topic that the group has committed, and what its transactions marked between them."""
        return sum(self._committed(self._places([topic])).values())

    def drained(self) -> bool:
        """Whether every record of every topic that a stage reads is consumed and decided, and none can follow.

        A log's end counts transaction markers and aborted records, so the committed offset may stay below it for ever:
        what counts is that a committed reader finds nothing between them. Nothing can follow when no transaction was
        open, and no end moved between the first question and the last: what a worker emits, it commits together with
        the offset of what it read. Records that wait behind watermarks are consumed and not decided: the workers count
        them before the commit that consumes them, and take them off after the commit that decides them.
        """
        ends = self._ends(IsolationLevel.READ_UNCOMMITTED)
        if ends != self._ends(IsolationLevel.READ_COMMITTED):
            return False
        behind = {place: at for place, at in self._committed(self._inputs).items() if at < ends[place]}
        if not self._nothing_after(behind) or not self._fleet.holds_nothing():
            return False
        return ends == self._ends(IsolationLevel.READ_UNCOMMITTED)

    def _nothing_after(self, places: dict[Place, int]) -> bool:
        """Whether a committed reader that starts at these offsets comes to the ends without a record."""
        waiting = set(places)
        self._reader.assign([TopicPartition(*place, at) for place, at in places.items()])
        while waiting:
            for message in self._reader.consume(1, deadline_seconds()):
                error = message.error()
                if error is None:
                    return False
                assert error.code() == KafkaError._PARTITION_EOF, error
                waiting.discard((message.topic(), message.partition()))
        return True

    def _places(self, topics: Iterable[Topic]) -> list[Place]:
        names = [topic.of(self._settings.topic_prefix) for topic in topics]
        return [(name, partition) for name in sorted(names) for partition in range(self._settings.partitions)]

    def _committed(self, places: list[Place]) -> dict[Place, int]:
        result = self._group.committed(list(starmap(TopicPartition, places)), deadline_seconds())
        return {(at.topic, at.partition): max(0, at.offset) for at in result}

    def _ends(self, isolation: IsolationLevel) -> dict[Place, int]:
        requested = {TopicPartition(*place): OffsetSpec.latest() for place in self._inputs}
        result = self._admin.list_offsets(requested, isolation_level=isolation, request_timeout=deadline_seconds())
        return {(at.topic, at.partition): answer.result(deadline_seconds()).offset for at, answer in result.items()}
