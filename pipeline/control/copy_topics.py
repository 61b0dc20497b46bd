"""Copies the input of one deployment into the topics of another: the supported way to another number of partitions.

Copied are the events of all channels, byte-identical with their headers, and operators' decisions about identities.
Everything else is derived from them by the new deployment's workers.

The positions are committed offsets of a group that no client joins, in the transactions that hold the records. So a
kill -9 at any moment neither skips a record nor copies it twice, and a second run copies only what has come since.
"""

from collections import Counter
from typing import Final, Self, TypeAlias

import msgspec
from confluent_kafka import Message, TopicPartition

from pipeline.control.send_command import DECISION
from pipeline.errors import MisuseError
from pipeline.identity.messages import Command
from pipeline.kafka.reading import Progress, Reading, partitions_of
from pipeline.kafka.transactions import Transactions
from pipeline.query.quarantine import headers_of
from pipeline.settings import Settings
from pipeline.topics import EVENTS, LINKS, Topic

CHUNK_RECORDS: Final = 5_000
CHUNK_BYTES: Final = 64 << 20

Headers: TypeAlias = list[tuple[str, str | bytes | None]]

_decode = msgspec.msgpack.Decoder(Command).decode


class TopicCopy:
    """One run. Use as a context manager: leaving it aborts the open transaction.

    Raises:
        MisuseError: Source and target are the same topics.
        MissingTopicError: A topic does not exist.
        confluent_kafka.KafkaException: The broker did not answer or refused (from every method). Run it again.
    """

    def __init__(self, settings: Settings, from_prefix: str) -> None:
        if from_prefix == settings.topic_prefix:
            message = "the topics have this prefix already: set STITCHLINE_TOPIC_PREFIX to that of the new topics"
            raise MisuseError(message)
        self._kafka, self._from, self._to = settings.kafka(), from_prefix, settings.topic_prefix
        for topic in (*EVENTS.values(), LINKS):
            partitions_of(self._kafka, topic.of(self._to))
        self._transactions = Transactions(self._kafka, f"{settings.application_id}.copy.{from_prefix}.{self._to}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._transactions.close()

    def run(self, progress: Progress) -> Counter[str]:
        """Copies what has not been copied, up to the ends as of now. Returns the records copied by topic."""
        copied: Counter[str] = Counter()
        for topic in (*EVENTS.values(), LINKS):
            copied[topic.name] = self._copy(topic, progress)
        return copied

    def _copy(self, topic: Topic, progress: Progress) -> int:
        name = topic.of(self._from)
        places = [TopicPartition(name, number) for number in range(partitions_of(self._kafka, name))]
        begin = {place.partition: max(0, place.offset) for place in self._transactions.committed(places)}
        reading = Reading(self._kafka, name, range(len(places)), begin=begin, progress=progress)
        copied = chunk_records = chunk_bytes = 0
        for batch in reading.batches():
            for message in batch:
                if topic is not LINKS or _is_decision(message):
                    headers: Headers = [*headers_of(message)]
                    self._transactions.produce(topic.of(self._to), message.value(), message.key(), headers)
                    copied, chunk_records = copied + 1, chunk_records + 1
                    chunk_bytes += len(message.value() or b"")
            if chunk_records >= CHUNK_RECORDS or chunk_bytes >= CHUNK_BYTES:
                self._commit(name, reading)
                chunk_records = chunk_bytes = 0
        self._commit(name, reading)
        return copied

    def _commit(self, name: str, reading: Reading) -> None:
        if self._transactions.is_open:
            self._transactions.commit([TopicPartition(name, number, at) for number, at in reading.reached.items()])


def _is_decision(message: Message) -> bool:
    try:
        return _decode(message.value() or b"").event_id.startswith(DECISION)
    except msgspec.DecodeError:
        return False
