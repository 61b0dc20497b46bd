"""A log in memory: topics of one partition, with records that have the interface of the broker's."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import count

import confluent_kafka

from pipeline.kafka.record import Header
from pipeline.topics import Topic


class MemoryRecord:
    """One record, with the methods of ``confluent_kafka.Message`` that stages use."""

    __slots__ = ("_headers", "_key", "_offset", "_partition", "_topic", "_value")

    def __init__(
        self,
        topic: str,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[Header] | None,
        *,
        partition: int = 0,
    ) -> None:
        self._topic, self._partition, self._offset = topic, partition, offset
        self._key, self._value, self._headers = key, value, headers

    def error(self) -> None:
        """Returns None: this is a record, not an event of the partition."""

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def timestamp(self) -> tuple[int, int]:
        """Returns no timestamp, because no broker has set one."""
        return confluent_kafka.TIMESTAMP_NOT_AVAILABLE, 0

    def headers(self) -> list[Header] | None:
        return self._headers


class MemoryLog:
    """Appends records, and returns those of a topic that were not taken yet."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._waiting: defaultdict[Topic, list[MemoryRecord]] = defaultdict(list)
        self._places: dict[Topic, tuple[str, Iterator[int]]] = {}
        """By topic, its full name and the offsets of its next records."""

    def emit(
        self, topic: Topic, key: bytes | str | None, value: bytes | None, headers: list[Header] | None = None
    ) -> None:
        """Appends a record; implements :class:`~pipeline.kafka.record.Emit`."""
        place = self._places.get(topic)
        if place is None:
            place = self._places[topic] = (topic.of(self._prefix), count())
        name, offsets = place
        key_bytes = key.encode() if isinstance(key, str) else key
        self._waiting[topic].append(MemoryRecord(name, next(offsets), key_bytes, value, headers))

    def take(self, topic: Topic) -> list[MemoryRecord]:
        """Returns the topic's records since the last call, in order."""
        return self._waiting.pop(topic, [])
