"""Decodes records of a public topic. Skips records that are none of the topic's schema, and counts them."""

from collections.abc import Iterator
from typing import Any

from pipeline.avro.wire import Decoder, Undecodable, Writer
from pipeline.serve.model.kinds.kind import FollowedRecord, Records
from pipeline.topics import Topic


class Skipped:
    """The number of skipped records by topic. Their cause is a foreign producer, which must not stop the writer."""

    def __init__(self) -> None:
        self.records: dict[str, int] = {}
        self._topics: set[str] = set()

    def watch(self, topic: Topic) -> None:
        """Makes the topic one of :meth:`by_topic` before a record is skipped."""
        self._topics.add(topic.name)

    def by_topic(self) -> dict[str, int]:
        """Returns the number for each decoded topic, also where it is 0: an alert needs a series to rise from."""
        return {name: self.records.get(name, 0) for name in sorted(self._topics)}

    def add(self, topic: Topic) -> None:
        """Counts one record."""
        self.records[topic.name] = self.records.get(topic.name, 0) + 1


class TolerantDecoder:
    """Decodes the values of one topic."""

    def __init__(self, topic: Topic, writer: Writer, skipped: Skipped) -> None:
        self._topic, self._skipped = topic, skipped
        skipped.watch(topic)
        self._decode = Decoder(topic.value, writer)

    def each(self, records: Records) -> Iterator[tuple[FollowedRecord, dict[str, Any] | None]]:
        """Yields each readable record with its value; None for a tombstone.

        Raises:
            RegistryError: the schema registry did not answer or refused.
        """
        for record in records:
            value = record.value()
            if value is None:
                yield record, None
                continue
            try:
                yield record, self._decode(value)
            except Undecodable:
                self._skipped.add(self._topic)

    def values(self, records: Records) -> Iterator[tuple[FollowedRecord, dict[str, Any]]]:
        """As :meth:`each`, without tombstones."""
        for record, value in self.each(records):
            if value is not None:
                yield record, value
