"""Replays quarantined records: sends the original bytes to their original topic, each record once.

The position of a replay is the committed offset of a consumer group that no client joins. It is committed in the
transaction that holds the records, so a kill -9 at any moment neither skips a record nor sends it twice.

A replay can be restricted to one reason. So the committed offset is the position up to which the records of all reasons
are replayed, and the metadata of the commit holds the further positions of single reasons.
"""

from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self, TypeAlias

import msgspec
from confluent_kafka import Message, TopicPartition

from pipeline.kafka.reading import Progress, Reading, partitions_of, silent
from pipeline.kafka.transactions import Positions, Transactions
from pipeline.query.quarantine import REPLAYED_HEADER, entry_of, original_headers
from pipeline.settings import Settings
from pipeline.topics import ACTION_DLQ, ACTIONS, DLQ, EVENTS, Topic

CHUNK_RECORDS: Final = 2_000
CHUNK_BYTES: Final = 64 << 20
GROUPS: Final = {DLQ: "dlq-replay", ACTION_DLQ: "crm-dlq-replay"}
"""DLQ to the last part of the name of its replays' group."""
SOURCES: Final[dict[Topic, tuple[Topic, ...]]] = {DLQ: tuple(EVENTS.values()), ACTION_DLQ: (ACTIONS,)}
"""DLQ to the topics that its records may be sent back to."""

Headers: TypeAlias = list[tuple[str, str | bytes | None]]


class Position(msgspec.Struct):
    """The position up to which one partition of the DLQ is replayed."""

    offset: int = 0
    """Every record before this offset is replayed, whatever its reason."""
    ahead: dict[str, int] = {}
    """Reason to a later offset before which every record with that reason is replayed."""

    def is_done(self, offset: int, reason: str) -> bool:
        """Returns whether the record at ``offset`` with ``reason`` has been replayed."""
        return offset < max(self.offset, self.ahead.get(reason, 0))

    def moved(self, reason: str, offset: int) -> "Position":
        """Returns the position after replaying ``reason`` (all reasons if "") up to ``offset``, exclusive."""
        done = self.offset if reason else max(self.offset, offset)
        ahead = {**self.ahead, reason: max(offset, self.ahead.get(reason, 0))} if reason else self.ahead
        return Position(done, {name: at for name, at in ahead.items() if at > done})


class Report(msgspec.Struct):
    """The result of a replay, or with ``--dry-run`` its expected result."""

    replayed: Counter[str] = msgspec.field(default_factory=Counter)
    """Records by reason."""
    not_replayable: int = 0
    """Records without facts, or of a topic that the DLQ does not belong to. They stay in the DLQ only."""


class Replay:
    """One run of replays. Use as a context manager: leaving it aborts the open transaction.

    A second run under the same application id fences the first, which then fails. No record is sent by both.

    Raises:
        MissingTopicError: the DLQ does not exist.
        confluent_kafka.KafkaException: the broker did not answer or refused (from every method). Earlier commits
            remain; run the same command again.
    """

    def __init__(self, settings: Settings, *, dry_run: bool, dlq: Topic = DLQ) -> None:
        self._topic = dlq.of(settings.topic_prefix)
        self._kafka = settings.kafka()
        self._targets = {topic.of(settings.topic_prefix) for topic in SOURCES[dlq]}
        self._partitions = range(partitions_of(self._kafka, self._topic))
        name = f"{settings.application_id}.{GROUPS[dlq]}"
        self._transactions = None if dry_run else Transactions(self._kafka, name)
        self._positions = self._transactions or Positions(self._kafka, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._positions.close()

    def run(self, reason: str = "", progress: Progress = silent) -> Report:
        """Replays the records in the DLQ that have not been replayed: all, or those with ``reason``.

        Stops at the end offsets as of the start of the run.
        """
        positions, report = self._replayed(), Report()
        begin = {partition: position.offset for partition, position in positions.items()}
        reading = Reading(self._kafka, self._topic, self._partitions, begin=begin, progress=progress)
        chunk_records = chunk_bytes = 0
        for batch in reading.batches():
            for message in batch:
                partition, offset = message.partition() or 0, message.offset() or 0
                if offset >= reading.ends[partition]:
                    continue  # may be a record of this run that was quarantined again: do not send it in a loop
                if self._take(message, reason, positions[partition], report):
                    chunk_records, chunk_bytes = chunk_records + 1, chunk_bytes + len(message.value() or b"")
                positions[partition] = positions[partition].moved(reason, offset + 1)
                if chunk_records >= CHUNK_RECORDS or chunk_bytes >= CHUNK_BYTES:
                    self._commit(positions)
                    chunk_records = chunk_bytes = 0
        self._commit(positions)
        return report

    def _take(self, message: Message, reason: str, position: Position, report: Report) -> bool:
        """Sends a record if it is to be replayed. Returns whether it was sent. Counts it in ``report``."""
        entry, offset = entry_of(message), message.offset() or 0
        if reason not in ("", entry.reason) or position.is_done(offset, entry.reason):
            return False
        if entry.topic not in self._targets:
            report.not_replayable += 1
            return False
        report.replayed[entry.reason] += 1
        if self._transactions is None:
            return False
        headers: Headers = [*original_headers(message), (REPLAYED_HEADER, entry.place.encode())]
        self._transactions.produce(entry.topic, message.value(), message.key(), headers)
        return True

    def _commit(self, positions: Mapping[int, Position]) -> None:
        """Commits the sent records with the positions. Does nothing if no record was sent since the last commit."""
        if self._transactions is None or not self._transactions.is_open:
            return
        self._transactions.commit([
            TopicPartition(self._topic, partition, position.offset, _metadata(position))
            for partition, position in positions.items()
        ])  # fmt: skip

    def _replayed(self) -> dict[int, Position]:
        requested = [TopicPartition(self._topic, partition) for partition in self._partitions]
        return {place.partition: _position(place) for place in self._positions.committed(requested)}


def _position(place: TopicPartition) -> Position:
    if place.offset < 0:
        return Position()
    ahead = msgspec.json.decode(place.metadata, type=dict[str, int]) if place.metadata else {}
    return Position(place.offset, ahead)


def _metadata(position: Position) -> str:
    return msgspec.json.encode(position.ahead).decode()
