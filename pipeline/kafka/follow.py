"""Follow topics as they grow: what is committed, from their beginning or from now on, without a consumer group."""

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
"""A topic on the broker and a partition of it."""


class Follower:
    """Reads every partition of some topics, read-committed. Commits nothing, joins nothing, disturbs nobody.

    Raises:
        MissingTopicError: a topic is not there.
        KafkaException: the broker did not answer or refused (from every method).
    """

    def __init__(self, kafka: Mapping[str, str | int], topics: Collection[str], *, from_start: bool) -> None:
        self._places: list[Place] = [(topic, n) for topic in topics for n in range(partitions_of(kafka, topic))]
        self.reached: dict[Place, int] = {}
        """Offset up to which each partition is read, transaction markers included; absent before the first answer."""
        self._consumer = reader(kafka, {"fetch.wait.max.ms": 100})
        begin = OFFSET_BEGINNING if from_start else OFFSET_END
        self._consumer.assign([TopicPartition(topic, number, begin) for topic, number in self._places])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._consumer.close()

    def poll(self, seconds: float) -> list[Message]:
        """Records that came within so many seconds, in each partition's order. Returns early with a full batch."""
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
        """Where the partitions end now, for :meth:`has_reached`."""
        return {
            place: retrying(partial(self._consumer.get_watermark_offsets, TopicPartition(*place), REQUEST_SECONDS))[1]
            for place in self._places
        }

    def has_reached(self, ends: Mapping[Place, int]) -> bool:
        """Whether everything before those ends has been handed out."""
        return all(self.reached.get(place, -1) >= end for place, end in ends.items())

    def until_now(self, timeout_seconds: float) -> list[Message]:
        """Everything there is now. Ends sooner than that where nothing has come for so many seconds.

        A transaction that nobody ends is such a case; what was committed before it is handed out.
        """
        ends, messages = self.ends(), list[Message]()
        deadline = time.monotonic() + timeout_seconds
        while not self.has_reached(ends) and time.monotonic() < deadline:
            before = sum(self.reached.values())
            messages += self.poll(0.1)
            if sum(self.reached.values()) > before:
                deadline = time.monotonic() + timeout_seconds
        return messages
