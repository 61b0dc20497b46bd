"""Commits consumed offsets, produced records and changelog in one Kafka transaction, then writes RocksDB."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import confluent_kafka
import msgspec

from pipeline.kafka.clients import MAX_RECORD_BYTES, configured_producer
from pipeline.kafka.producer import Producer
from pipeline.kafka.record import Header
from pipeline.state.partition import PartitionState, changelog_key
from pipeline.state.store import Change
from pipeline.stream.watchdog import Watchdog
from pipeline.topics import CHANGELOGS, Topic

QUEUE_FULL_WAIT_SECONDS = 0.1
INIT_TIMEOUT_SECONDS = 60.0
TRANSACTION_TIMEOUT_MS = 15_000
ABORT_SECONDS = 15.0
"""More than the time that brokers may take to abort a transaction after its timeout: they look every 10 s
(``transaction.abort.timed.out.transaction.cleanup.interval.ms``)."""
TIMEOUT_SECONDS = TRANSACTION_TIMEOUT_MS / 1000 + ABORT_SECONDS
"""Longer than any transaction of the default timeout is open on reachable brokers."""

_Error = confluent_kafka.KafkaError
FENCED = frozenset({
    _Error.ILLEGAL_GENERATION, _Error.UNKNOWN_MEMBER_ID, _Error.FENCED_INSTANCE_ID, _Error.INVALID_PRODUCER_EPOCH,
    _Error.PRODUCER_FENCED,
})  # fmt: skip
"""Kafka's error codes for: another worker has taken over."""


class Task(Protocol):
    """One stage on one partition."""

    stage: str
    partition: int
    state: PartitionState

    def before_commit(self) -> None:
        """Emits the output that the stage coalesces per transaction."""
        ...


class Aborted(Exception):  # noqa: N818 - the outcome, as Kafka names it
    """The transaction was aborted without effect. The caller rewinds the consumer and drops decoded rows."""


class Committed(msgspec.Struct, frozen=True):
    """The contents of one committed transaction."""

    records: int
    """Records consumed."""
    produced: dict[str, int]
    """Records by topic, named without prefix; changelogs are omitted."""
    written: Counter[str]
    """State rows by table."""


class _Outlet:
    """An output topic: its name on the broker, and how many records of the open transaction it holds."""

    __slots__ = ("name", "records")

    def __init__(self, name: str) -> None:
        self.name, self.records = name, 0


def settled_within_seconds(transaction_timeout_ms: int) -> float:
    """Returns the time after which reachable brokers have settled every transaction with this timeout."""
    return transaction_timeout_ms / 1000 + ABORT_SECONDS


def stuck_message(seconds: float) -> str:
    """Returns the message of a process that ends because a transaction was not settled in time."""
    return (
        f"Kafka did not settle a transaction within {seconds:.0f} s; look at the brokers and start the worker again: "
        "it continues after the last committed transaction, nothing is lost or doubled"
    )


def _ignore(_kind: str) -> None:
    """Does not count refusals."""


class UnitOfWork:
    """The worker's current transaction.

    A crash at any point leaves RocksDB at or behind the changelog. :meth:`commit` either returns with everything
    durable, or raises :class:`Aborted` without any effect. After any other exception the outcome is unknown or the
    worker is fenced: the process must end, and the next one restores from the changelog.
    """

    def __init__(
        self,
        config: Mapping[str, str | int],
        transactional_id: str,
        prefix: str,
        transaction_timeout_ms: int = TRANSACTION_TIMEOUT_MS,
        refused: Callable[[str], None] = _ignore,
        *,
        producer: Callable[[dict[str, Any]], Producer] = configured_producer,
        watchdog: AbstractContextManager[None] | None = None,
    ) -> None:
        """Calls ``refused`` with "retriable", "fenced", "aborted" or "fatal" for every commit that Kafka refuses.

        ``producer`` builds the client. ``watchdog`` limits calls that may block for ever; the default ends the process.
        """
        self._prefix, self._refused = prefix, refused
        limit_seconds = settled_within_seconds(transaction_timeout_ms)
        self._watchdog = watchdog or Watchdog(limit_seconds, stuck_message(limit_seconds))
        self._outlets: dict[Topic, _Outlet] = {}
        self._offsets: dict[tuple[str, int], int] = {}
        self._positions: dict[tuple[str, int], int] = {}
        self.records = 0
        """Records consumed by the open transaction."""
        self._open = False
        self._producer = made = producer(
            {
                **config,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": transaction_timeout_ms,
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": 256 << 10,
                "batch.num.messages": 20_000,
                "batch.size": 512 << 10,
                "linger.ms": 50,  # fewer, larger batches; a commit does not wait for it, because flush() sends at once
                "compression.type": "lz4",
                "message.max.bytes": MAX_RECORD_BYTES,
            }
        )
        self._produce_one = made.produce

    def start(self) -> None:
        """Fences earlier producers of the transactional id and aborts their open transaction."""
        self._producer.init_transactions(INIT_TIMEOUT_SECONDS)

    def emit(
        self, topic: Topic, key: bytes | str | None, value: bytes | None, headers: list[Header] | None = None
    ) -> None:
        """Adds a record to the transaction; see :class:`~pipeline.kafka.record.Emit`."""
        outlet = self._outlets.get(topic) or self._open_outlet(topic)
        outlet.records += 1
        if headers is None and self._open:  # the hot path, several calls per event: skips _produce and its options
            try:
                self._produce_one(outlet.name, value, key, -1, None)
                return
            except BufferError:
                self._producer.poll(QUEUE_FULL_WAIT_SECONDS)
        self._produce(outlet.name, value, key, headers=headers)

    def broadcast(self, topic: Topic, key: bytes, value: bytes, partitions: int) -> None:
        """Adds a record to every partition of a topic."""
        outlet = self._outlets.get(topic) or self._open_outlet(topic)
        outlet.records += partitions
        for partition in range(partitions):
            self._produce(outlet.name, value, key, partition)

    def consumed(self, topic: str, partition: int, next_offset: int, records: int) -> None:
        """Adds consumed records: the transaction commits ``next_offset`` for the group."""
        self._begin()
        self._offsets[topic, partition] = next_offset
        self.records += records

    def set_committed_positions(self, positions: Mapping[Any, int]) -> None:
        """Sets the group's committed offsets of the assigned partitions by (topic, partition)."""
        self._positions = dict(positions)

    def knows_position(self, topic: str, partition: int) -> bool:
        """Returns whether the committed offset of a partition is known, as :meth:`hold_position` requires."""
        return (topic, partition) in self._positions

    def hold_position(self, topic: str, partition: int) -> None:
        """Re-commits the current offset of a partition, for a transaction whose records only timers produced.

        Without an offset the transaction would not be checked against the group's generation.
        """
        self._begin()
        self._offsets.setdefault((topic, partition), self._positions[topic, partition])

    def commit(self, tasks: list[Any], group: Callable[[], Any]) -> Committed | None:
        """Makes everything since the last commit durable. Returns None if there is nothing.

        1. Tasks emit their coalesced output.
        2. Tasks write their changelog.
        3. The producer flushes.
        4. The group's offsets join the transaction.
        5. Kafka commits.
        6. RocksDB takes the rows.

        ``group`` returns the consumer's group metadata, whose generation fences a worker that was presumed dead.

        Raises:
            Aborted: Kafka refused the transaction; it has no effect.
        """
        if not self._offsets:
            return None
        # 1. Coalesced output
        for task in tasks:
            task.before_commit()
        try:
            # 2. Changelog
            changes = [(task.state, self._log(task)) for task in tasks]
            with self._watchdog:  # librdkafka can wait for ever for a transaction coordinator that restarted
                # 3. Flush, before the offsets: a new owner that reads them must find the changelog on the broker.
                self._producer.flush()
                # 4. Offsets
                self._send_offsets(group)
                # 5. Kafka's commit
                self._commit_transaction()
        except confluent_kafka.KafkaException as error:
            self.abort_after(error)
            message = f"transaction aborted: {error.args[0].str()}"
            raise Aborted(message) from error
        # 6. RocksDB
        for state, rows in changes:
            if rows:
                state.persist(rows)
        self._positions.update(self._offsets)
        done = self._committed([state for state, rows in changes if rows])
        self._closed()
        return done

    def abort(self) -> None:
        """Discards everything since the last commit."""
        if self._open:
            with self._watchdog:
                self._producer.abort_transaction(INIT_TIMEOUT_SECONDS)
        self._closed()

    def abort_after(self, error: confluent_kafka.KafkaException) -> None:
        """Aborts the transaction. Raises ``error`` if Kafka marks it fatal: the process must then end."""
        kafka_error = error.args[0]
        if kafka_error.fatal():
            self._refused("fatal")
            raise error
        self._refused("fenced" if kafka_error.code() in FENCED else "aborted")
        self.abort()

    def poll(self) -> None:
        """Serves delivery reports."""
        self._producer.poll(0)

    def _log(self, task: Task) -> list[Change]:
        """Produces the task's changelog. The offset behind the last record becomes the state's position on delivery."""
        changes = task.state.changes()
        name = CHANGELOGS[task.stage].of(self._prefix)

        def delivered(error: Any, message: Any, state: PartitionState = task.state) -> None:
            if error is None:
                state.position = message.offset() + 1

        for change in changes[:-1]:
            self._produce(name, change.value, changelog_key(change), task.partition)
        for change in changes[-1:]:
            self._produce(name, change.value, changelog_key(change), task.partition, on_delivery=delivered)
        return changes

    def _produce(
        self,
        name: str,
        value: bytes | None,
        key: bytes | str | None,
        partition: int = -1,
        *,
        on_delivery: Callable[[Any, Any], None] | None = None,
        headers: list[Header] | None = None,
    ) -> None:
        self._begin()
        options: dict[str, Any] = {"headers": headers} if headers else {}
        while True:
            try:
                self._produce_one(name, value, key, partition, on_delivery, **options)
                return
            except BufferError:
                self._producer.poll(QUEUE_FULL_WAIT_SECONDS)

    def _send_offsets(self, group: Callable[[], Any]) -> None:
        positions = [confluent_kafka.TopicPartition(t, p, o) for (t, p), o in self._offsets.items()]
        self._retried(lambda: self._producer.send_offsets_to_transaction(positions, group()))

    def _commit_transaction(self) -> None:
        self._retried(self._producer.commit_transaction)

    def _retried(self, call: Callable[[], Any]) -> None:
        """Repeats the call while Kafka returns a retriable error. The outcome is then definite."""
        while True:
            try:
                call()
                return
            except confluent_kafka.KafkaException as error:
                if not error.args[0].retriable():
                    raise
                self._refused("retriable")

    def _begin(self) -> None:
        if not self._open:
            self._producer.begin_transaction()
            self._open = True

    def _closed(self) -> None:
        self._open = False
        self._offsets = {}
        self.records = 0
        for outlet in self._outlets.values():
            outlet.records = 0

    def _committed(self, states: list[PartitionState]) -> Committed:
        written: Counter[str] = Counter()
        for state in states:
            written.update(state.written)
        produced = {topic.name: outlet.records for topic, outlet in self._outlets.items() if outlet.records}
        return Committed(self.records, produced, written)

    def _open_outlet(self, topic: Topic) -> _Outlet:
        return self._outlets.setdefault(topic, _Outlet(topic.of(self._prefix)))
