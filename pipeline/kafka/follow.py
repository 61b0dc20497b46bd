"""Follows topics as they grow: committed records, from the beginning, from now on or from offsets, without a group."""

import time
from collections.abc import Collection, Mapping
from functools import partial
from types import TracebackType
from typing import Final, Self

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, KafkaException, Message, TopicPartition

from pipeline.kafka.clients import reader
from pipeline.kafka.reading import REQUEST_SECONDS, partitions_of
from pipeline.kafka.retry import retrying

BATCH_RECORDS: Final = 5_000

Place = tuple[str, int]
"""Full topic name and partition number."""


class Follower:
    """Reads every partition of some topics, read-committed. Joins no group and commits no offsets.

    Raises:
        MissingTopicError: a topic does not exist.
        KafkaException: the broker did not answer or refused (from every method).
    """

    def __init__(
        self,
        kafka: Mapping[str, str | int],
        topics: Collection[str],
        *,
        from_start: bool,
        begin: Mapping[Place, int] | None = None,
    ) -> None:
        """``begin`` holds next offsets; a partition without one begins at its start, or else at its end."""
        self._places: list[Place] = [(topic, n) for topic in topics for n in range(partitions_of(kafka, topic))]
        self.reached: dict[Place, int] = {}
        """Next offset to read per partition, transaction markers passed; absent before the broker's first answer."""
        self._consumer = reader(kafka, {"fetch.wait.max.ms": 100})
        other, known = OFFSET_BEGINNING if from_start else OFFSET_END, begin or {}
        self._consumer.assign([TopicPartition(*place, known.get(place, other)) for place in self._places])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._consumer.close()

    def poll(self, seconds: float) -> list[Message]:
        """Returns the records that arrive within ``seconds``, in each partition's order.

        Returns earlier once ``BATCH_RECORDS`` have arrived.
        """
        messages = []
        for message in self._consumer.consume(BATCH_RECORDS, seconds):
            error, place = message.error(), (message.topic() or "", message.partition() or 0)
            if error is None:
                self.reached[place] = (message.offset() or 0) + 1
                messages.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self.reached[place] = message.offset() or 0
            elif error.fatal() or not error.retriable():
                raise KafkaException(error)
        return messages

    def ends(self) -> dict[Place, int]:
        """Returns the current end offset of each partition, for :meth:`has_reached`."""
        return {place: end for place, (_, end) in self.bounds().items()}

    def bounds(self) -> dict[Place, tuple[int, int]]:
        """Returns the earliest offset and the current end offset of each partition."""
        return {
            place: retrying(partial(self._consumer.get_watermark_offsets, TopicPartition(*place), REQUEST_SECONDS))
            for place in self._places
        }

    def waiting(self) -> int:
        """Returns the records that the brokers last reported and that were not returned, markers included. No request.

        Partitions that no broker has answered for yet count as one record.
        """
        count = 0
        for place in self._places:
            _, end = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            reached = self.reached.get(place)
            count += 1 if reached is None else max(0, end - reached)
        return count

    def has_reached(self, ends: Mapping[Place, int]) -> bool:
        """Returns whether every record before these end offsets has been returned."""
        return all(self.reached.get(place, -1) >= end for place, end in ends.items())

    def until_now(self, timeout_seconds: float) -> list[Message]:
        """Returns all records up to the ends as of this call.

        Stops early if no partition advances for ``timeout_seconds``, for example because a transaction stays open. The
        records committed before that transaction are returned.
        """
        ends, messages = self.ends(), list[Message]()
        deadline = time.monotonic() + timeout_seconds
        while not self.has_reached(ends) and time.monotonic() < deadline:
            before = sum(self.reached.values())
            messages += self.poll(0.1)
            if sum(self.reached.values()) > before:
                deadline = time.monotonic() + timeout_seconds
        return messages
