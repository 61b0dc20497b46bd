"""The actions topic on Kafka, read by one runner; implements :class:`~connectors.crm.action_log.ActionLog`.

The runner reads every partition without joining a group. Only one runner of a sink may be active, because records of
one action may be on different partitions; the transactional id, which is the name of the sink's group, enforces it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from connectors.crm.action_log import Commit, Position, Refusal
from connectors.crm.ledger_row import REMOVED, LedgerRow, row_of, tombstone_of
from connectors.crm.sink import SinkError
from connectors.crm.takeover import ends_if_taken_over
from pipeline.kafka.clients import reader
from pipeline.kafka.dlq_headers import SINK_HEADER, facts_as_headers, quarantine_headers
from pipeline.kafka.reading import REQUEST_SECONDS, Reading, partitions_of
from pipeline.kafka.record import Header, Record
from pipeline.kafka.retry import retrying
from pipeline.kafka.transactions import Transactions
from pipeline.obs.log import logger

STAGE: Final = "sink"
KEY_SEPARATORS: Final = 2
"""Slashes in the key of a ledger row, at least."""
SECOND_PROCESS: Final = "another process delivers to this sink now; this one ends. Run one process per sink"
_log = logger("connectors.crm")
EncodeRow: TypeAlias = Callable[[LedgerRow], bytes]
DecodeRow: TypeAlias = Callable[[bytes | None], dict[str, Any]]


class LedgerTopic:
    """The ledger topic, with the functions that write and read its records."""

    def __init__(self, topic: str, encode: EncodeRow, decode: DecodeRow) -> None:
        self.topic, self.encode, self.decode = topic, encode, decode

    def rows(self, kafka: Mapping[str, str | int], sink: str) -> Iterator[LedgerRow]:
        """Yields the committed rows of a sink, in the order of writing; a tombstone as a row that is removed."""
        for batch in Reading(kafka, self.topic, range(partitions_of(kafka, self.topic))).batches():
            yield from self.rows_of(batch, sink)

    def rows_of(self, messages: Iterable[Message], sink: str) -> Iterator[LedgerRow]:
        """Yields the rows of a sink in records of the topic."""
        prefix = f"{sink}/".encode()
        for message in messages:
            key, value = message.key() or b"", message.value()
            if not key.startswith(prefix):
                continue
            if value is not None:
                yield row_of(self.decode(value))
            elif key.count(b"/") >= KEY_SEPARATORS:  # else it is no row of ours
                yield tombstone_of(key.decode(errors="replace"), message.timestamp()[1])

    def value_of(self, row: LedgerRow) -> bytes | None:
        """Returns the value of a row's record; None for one that is removed."""
        return None if row.state == REMOVED else self.encode(row)


class KafkaLog:
    """One sink's view of the actions topic. ``group`` names the sink's offsets and its transactions."""

    def __init__(
        self,
        kafka: Mapping[str, str | int],
        topic: str,
        *,
        sink: str,
        group: str,
        dlq: str,
        ledger: LedgerTopic | None = None,
    ) -> None:
        self._kafka, self._topic, self._sink, self._dlq, self._ledger = kafka, topic, sink, dlq, ledger
        self._partitions = range(partitions_of(kafka, topic))
        partitions_of(kafka, dlq)  # refuses to start without it: a refused action would stop the sink later
        self._ended: set[int] = set()
        self._held: set[int] = set()
        with ends_if_taken_over(SECOND_PROCESS):
            self._transactions = Transactions(kafka, group)
        self._consumer = reader(kafka, {"auto.offset.reset": "error"})

    def positions(self) -> dict[int, Position]:
        """Returns the committed position of every partition; offset -1 if none is committed."""
        places = self._transactions.committed([TopicPartition(self._topic, number) for number in self._partitions])
        return {place.partition: Position(max(place.offset, -1), place.metadata or "") for place in places}

    def ledger_rows(self) -> Iterator[LedgerRow]:
        """Yields the committed ledger rows of this sink, in the order of writing."""
        return iter(()) if self._ledger is None else self._ledger.rows(self._kafka, self._sink)

    def start(self, offsets: dict[int, int], *, strict: bool) -> dict[int, int]:
        """Starts reading. Returns the offsets it starts from."""
        starts = {partition: self._start_of(partition, offset, strict) for partition, offset in offsets.items()}
        self._consumer.assign([TopicPartition(self._topic, partition, offset) for partition, offset in starts.items()])
        return starts

    def poll(self, limit: int, seconds: float) -> Sequence[Record]:
        """Returns at most ``limit`` committed records, after at most ``seconds``."""
        return [
            cast("Record", message) for message in self._consumer.consume(limit, seconds) if self._is_record(message)
        ]

    def hold(self, partitions: Collection[int]) -> None:
        """Reads no further records of these partitions, and of all others again."""
        wanted = set(partitions)
        if wanted - self._held:
            self._consumer.pause(self._places(wanted - self._held))
        if self._held - wanted:
            self._consumer.resume(self._places(self._held - wanted))
        self._held = wanted

    def at_end(self) -> bool:
        """Returns whether every partition is read to its end."""
        return self._ended >= set(self._partitions)

    def commit(self, commit: Commit) -> None:
        """Commits in one transaction."""
        with ends_if_taken_over(SECOND_PROCESS):
            for row in commit.rows:
                if self._ledger is not None:
                    self._transactions.produce(self._ledger.topic, self._ledger.value_of(row), row.key)
            for refusal in commit.refusals:
                record = refusal.record
                self._transactions.produce(
                    self._dlq, record.value(), record.key(), [*refusal_headers(refusal, self._sink)]
                )
            self._transactions.commit([
                TopicPartition(self._topic, partition, position.offset, position.metadata)
                for partition, position in commit.positions.items()
            ])  # fmt: skip

    def close(self) -> None:
        """Closes the clients. An open transaction is aborted."""
        self._consumer.close()
        self._transactions.__exit__(None, None, None)

    def _start_of(self, partition: int, offset: int, strict: bool) -> int:
        place = TopicPartition(self._topic, partition)
        low, high = retrying(lambda: self._consumer.get_watermark_offsets(place, timeout=REQUEST_SECONDS))
        if offset > high or (strict and 0 <= offset < low):
            problem = f"{self._topic} does not hold the sink's position ({partition}:{offset}); was it created again?"
            raise SinkError(problem)
        if 0 <= offset < low:
            _log.error("crm_actions_expired", sink=self._sink, partition=partition, records=low - offset)
        return max(offset, low)

    def _places(self, partitions: Collection[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in partitions]

    def _is_record(self, message: Message) -> bool:
        error, partition = message.error(), message.partition() or 0
        if error is None:
            self._ended.discard(partition)
            return True
        if error.code() == KafkaError._PARTITION_EOF:
            self._ended.add(partition)
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            problem = f"{self._topic} does not hold the sink's position ({error.str()}); was it created again?"
            raise SinkError(problem)
        elif error.fatal() or not error.retriable():
            raise KafkaException(error)
        return False


def refusal_headers(refusal: Refusal, sink: str) -> list[Header]:
    """Returns the headers of a quarantined action: those of any quarantined record, and the sink's name."""
    headers = quarantine_headers(refusal.record, STAGE, refusal.reason, refusal.detail)
    return [*(header for header in headers if header[0] != SINK_HEADER), *facts_as_headers({"sink": sink})]
