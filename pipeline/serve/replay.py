"""Replay what was quarantined: the original bytes back onto their topic, each record once.

Where a replay has come to is an offset of a consumer group that nobody joins, committed in the transaction that holds
the records; so a kill -9 at any moment neither skips a record nor sends it twice. Replays of one reason run ahead of
the others: the committed offset is how far all reasons are, its metadata says which are further.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self, TypeAlias

import confluent_kafka
import msgspec
from confluent_kafka import Message, TopicPartition

from pipeline.serve.client import quiet
from pipeline.serve.quarantine import REPLAYED_HEADER, entry_of, original_headers
from pipeline.serve.reading import REQUEST_SECONDS, Progress, Reading, partitions_of, silent
from pipeline.settings import Settings
from pipeline.stream.unit_of_work import MAX_RECORD_BYTES
from pipeline.topics import DLQ, EVENTS

CHUNK_RECORDS: Final = 2_000
CHUNK_BYTES: Final = 64 << 20
QUEUE_FULL_SECONDS: Final = 0.1
RETRY_SECONDS: Final = 60.0
GROUP: Final = "dlq-replay"

Headers: TypeAlias = list[tuple[str, str | bytes | None]]


class Position(msgspec.Struct):
    """How far one partition of the DLQ is replayed."""

    offset: int = 0
    """Everything before it is done, whatever its reason."""
    ahead: dict[str, int] = {}
    """Reason to the offset before which everything of that reason is done too."""

    def is_done(self, offset: int, reason: str) -> bool:
        """Whether a record has been replayed."""
        return offset < max(self.offset, self.ahead.get(reason, 0))

    def moved(self, reason: str, offset: int) -> "Position":
        """Everything of ``reason`` ("": of all reasons) before ``offset`` is done."""
        done = self.offset if reason else max(self.offset, offset)
        ahead = {**self.ahead, reason: max(offset, self.ahead.get(reason, 0))} if reason else self.ahead
        return Position(done, {name: at for name, at in ahead.items() if at > done})


class Report(msgspec.Struct):
    """What a replay did, or with ``--dry-run`` would do."""

    replayed: Counter[str] = msgspec.field(default_factory=Counter)
    """Records by reason."""
    not_replayable: int = 0
    """Records without facts, or of a topic that takes no events here: left where they are."""


class Replay:
    """One run of replays. A context manager: leaving it aborts the transaction that is open.

    A second run of the same application fences the first, which then fails; no record is sent by both.

    Raises:
        MissingTopicError: there is no DLQ.
        confluent_kafka.KafkaException: the broker did not answer or refused (from every method). What was committed
            before stays; run the same command again.
    """

    def __init__(self, settings: Settings, *, dry_run: bool) -> None:
        self._topic = DLQ.of(settings.topic_prefix)
        self._kafka = settings.kafka()
        self._targets = {topic.of(settings.topic_prefix) for topic in EVENTS.values()}
        self._partitions = range(partitions_of(self._kafka, self._topic))
        self._open = False
        name = f"{settings.application_id}.{GROUP}"
        self._group = confluent_kafka.Consumer({**quiet(self._kafka), "group.id": name})
        self._producer = None if dry_run else _producer(self._kafka, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._group.close()
        if self._open and self._producer is not None:
            try:
                self._producer.abort_transaction(REQUEST_SECONDS)
            except confluent_kafka.KafkaException:
                return  # fenced or unreachable: the broker aborts it

    def run(self, reason: str = "", progress: Progress = silent) -> Report:
        """Replay all records, or those of one reason, that lie in the DLQ now and have not been replayed."""
        positions, report = self._positions(), Report()
        begin = {partition: position.offset for partition, position in positions.items()}
        reading = Reading(self._kafka, self._topic, self._partitions, begin=begin, progress=progress)
        chunk_records = chunk_bytes = 0
        for batch in reading.batches():
            for message in batch:
                partition, offset = message.partition() or 0, message.offset() or 0
                if offset >= reading.ends[partition]:
                    continue  # perhaps one of ours that was found bad again: not a second time in this run
                if self._take(message, reason, positions[partition], report):
                    chunk_records, chunk_bytes = chunk_records + 1, chunk_bytes + len(message.value() or b"")
                positions[partition] = positions[partition].moved(reason, offset + 1)
                if chunk_records >= CHUNK_RECORDS or chunk_bytes >= CHUNK_BYTES:
                    self._commit(positions)
                    chunk_records = chunk_bytes = 0
        self._commit(positions)
        return report

    def _take(self, message: Message, reason: str, position: Position, report: Report) -> bool:
        """Send a record if it is to be replayed."""
        entry, offset = entry_of(message), message.offset() or 0
        if reason not in ("", entry.reason) or position.is_done(offset, entry.reason):
            return False
        if entry.topic not in self._targets:
            report.not_replayable += 1
            return False
        report.replayed[entry.reason] += 1
        if self._producer is None:
            return False
        self._begin(self._producer)
        headers: Headers = [*original_headers(message), (REPLAYED_HEADER, entry.place.encode())]
        _produce(self._producer, entry.topic, message, headers)
        return True

    def _begin(self, producer: confluent_kafka.Producer) -> None:
        if not self._open:
            producer.begin_transaction()
            self._open = True

    def _commit(self, positions: Mapping[int, Position]) -> None:
        """The records and the position behind them, both or neither; nothing if no record was sent since the last."""
        if self._producer is None or not self._open:
            return
        producer, places = self._producer, [
            TopicPartition(self._topic, partition, position.offset, _metadata(position))
            for partition, position in positions.items()
        ]  # fmt: skip
        group = self._group.consumer_group_metadata()
        _retried(lambda: producer.send_offsets_to_transaction(places, group, REQUEST_SECONDS))
        _retried(lambda: producer.commit_transaction(REQUEST_SECONDS))
        self._open = False

    def _positions(self) -> dict[int, Position]:
        asked = [TopicPartition(self._topic, partition) for partition in self._partitions]
        return {place.partition: _position(place) for place in self._group.committed(asked, timeout=REQUEST_SECONDS)}


def _producer(kafka: Mapping[str, str | int], name: str) -> confluent_kafka.Producer:
    producer = confluent_kafka.Producer(
        {
            **quiet(kafka),
            "transactional.id": name,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "message.max.bytes": MAX_RECORD_BYTES,
        }
    )
    _retried(lambda: producer.init_transactions(REQUEST_SECONDS))
    return producer


def _produce(producer: confluent_kafka.Producer, topic: str, message: Message, headers: Headers) -> None:
    while True:
        try:
            producer.produce(topic, message.value(), message.key(), headers=headers)
            return
        except BufferError:
            producer.poll(QUEUE_FULL_SECONDS)


def _retried(call: Callable[[], object]) -> None:
    """Repeat while Kafka says that the same call may be repeated, so that its outcome is definite; a minute at most."""
    deadline = time.monotonic() + RETRY_SECONDS
    while True:
        try:
            call()
            return
        except confluent_kafka.KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise


def _position(place: TopicPartition) -> Position:
    if place.offset < 0:
        return Position()
    ahead = msgspec.json.decode(place.metadata, type=dict[str, int]) if place.metadata else {}
    return Position(place.offset, ahead)


def _metadata(position: Position) -> str:
    return msgspec.json.encode(position.ahead).decode()
