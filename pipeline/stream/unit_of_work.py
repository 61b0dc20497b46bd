"""Commits consumed offsets, produced records and changelog in one Kafka transaction, then writes RocksDB."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import confluent_kafka
import msgspec

from pipeline.errors import OperatorError
from pipeline.kafka.clients import KEEPS_BROKERS, MAX_RECORD_BYTES, configured_producer
from pipeline.kafka.producer import Producer
from pipeline.kafka.record import Header
from pipeline.kafka.time_limit import CallNotReturnedError, call_within
from pipeline.state.partition import PartitionState, changelog_key
from pipeline.state.store import Change
from pipeline.topics import CHANGELOGS, Topic

QUEUE_FULL_WAIT_SECONDS = 0.1
INIT_TIMEOUT_SECONDS = 60.0
TRANSACTION_TIMEOUT_MS = 15_000
ABORT_SECONDS = 15.0
"""More than the time that brokers may take to abort a transaction after its timeout: they look every 10 s
(``transaction.abort.timed.out.transaction.cleanup.interval.ms``)."""
REQUEST_SECONDS = 10.0
"""Limit of one call to the producer, and of a flush without progress."""
FLUSH_STEP_SECONDS = 1.0

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


class Unsettled(OperatorError):  # noqa: N818 - the outcome, as with Aborted
    """Kafka did not settle a transaction in time, so that its outcome is unknown.

    The caller drops this unit of work. The next one with the same transactional id settles the transaction, and the
    state is restored from the changelog.
    """


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


def _ignore(_kind: str) -> None:
    """Does not count refusals."""


class UnitOfWork:
    """The worker's current transaction.

    A crash at any point leaves RocksDB at or behind the changelog. :meth:`commit` either returns with everything
    durable, or raises :class:`Aborted` without any effect. After any other exception the outcome is unknown or the
    worker is fenced: the caller drops this unit of work and all state, and restores from the changelog.
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
        within: Callable[[float, Callable[[], Any]], None] = call_within,
    ) -> None:
        """Calls ``refused`` with "retriable", "fenced", "aborted" or "fatal" for every commit that Kafka refuses.

        ``producer`` builds the client. ``within`` runs calls that may ignore their own time limit.
        """
        self._prefix, self._refused = prefix, refused
        self._within = within
        self._outlets: dict[Topic, _Outlet] = {}
        self._offsets: dict[tuple[str, int], int] = {}
        self._positions: dict[tuple[str, int], int] = {}
        self.records = 0
        """Records consumed by the open transaction."""
        self._open = self._unsettled = False
        self._opened_at, self._timeout_seconds = 0.0, transaction_timeout_ms / 1000
        self._producer = made = producer(
            {
                **config,
                **KEEPS_BROKERS,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": transaction_timeout_ms,
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": 256 << 10,
                "batch.num.messages": 20_000,
                "batch.size": 512 << 10,
                # A commit does not wait for the end of this: flush() sends at once. But what is sent before the commit
                # shortens it, because brokers take the records of one producer one partition after the other.
                "linger.ms": 10,
                "compression.type": "lz4",
                "message.max.bytes": MAX_RECORD_BYTES,
            }
        )
        self._produce_one = made.produce

    def start(self, timeout_seconds: float = INIT_TIMEOUT_SECONDS) -> None:
        """Fences earlier producers of the transactional id and completes or aborts their open transaction.

        May be called again after a retriable error, such as the end of the time limit.
        """
        self._producer.init_transactions(timeout_seconds)

    @property
    def is_overdue(self) -> bool:
        """Returns whether the open transaction is older than its timeout, so that Kafka may have fenced it."""
        return self._open and time.monotonic() - self._opened_at >= self._timeout_seconds

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
            Unsettled: Kafka did not answer in time.
        """
        if not self._offsets:
            return None
        # 1. Coalesced output
        for task in tasks:
            task.before_commit()
        try:
            # 2. Changelog
            changes = [(task.state, self._log(task)) for task in tasks]
            # 3. Flush, before the offsets: a new owner that reads them must find the changelog on the broker.
            self._flush()
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
        """Discards everything since the last commit. The next unit of work settles an unsettled transaction.

        Raises:
            Unsettled: Kafka did not answer in time.
        """
        if self._open and not self._unsettled:
            try:
                self._limited(lambda: self._producer.abort_transaction(REQUEST_SECONDS))
            except confluent_kafka.KafkaException as error:
                if error.args[0].retriable():
                    raise self._left_unsettled() from error
                raise
        self._closed()

    def abort_after(self, error: confluent_kafka.KafkaException) -> None:
        """Aborts the transaction. Raises ``error`` if Kafka marks it fatal: the producer is then useless."""
        kafka_error = error.args[0]
        if kafka_error.fatal():
            self._refused("fatal")
            raise error
        self._refused("fenced" if kafka_error.code() in FENCED else "aborted")
        self.abort()

    def cause_of(self, error: BaseException | None) -> BaseException | None:
        """Returns the error, or its cause if it only states that the producer has had a fatal error before.

        ``produce`` reports no more than that of a producer that was fenced; transactional calls report the cause.
        """
        if (
            isinstance(error, confluent_kafka.KafkaException)
            and error.args[0].code() == confluent_kafka.KafkaError._FATAL
        ):
            try:
                self._producer.abort_transaction(REQUEST_SECONDS)
            except confluent_kafka.KafkaException as cause:
                return cause
        return error

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
        while True:
            try:
                if headers:
                    self._produce_one(name, value, key, partition, on_delivery, headers=headers)
                else:
                    self._produce_one(name, value, key, partition, on_delivery)
                return
            except BufferError:
                self._producer.poll(QUEUE_FULL_WAIT_SECONDS)

    def _flush(self) -> None:
        """Waits until the brokers have taken every record, as long as their number falls."""
        left, deadline = 0, 0.0
        while now_left := self._producer.flush(FLUSH_STEP_SECONDS):
            now = time.monotonic()
            if not left or now_left < left:
                left, deadline = now_left, now + REQUEST_SECONDS
            elif now > deadline:
                raise self._left_unsettled()

    def _send_offsets(self, group: Callable[[], Any]) -> None:
        positions = [confluent_kafka.TopicPartition(t, p, o) for (t, p), o in self._offsets.items()]
        self._retried(lambda: self._producer.send_offsets_to_transaction(positions, group(), REQUEST_SECONDS))

    def _commit_transaction(self) -> None:
        self._retried(lambda: self._producer.commit_transaction(REQUEST_SECONDS))

    def _retried(self, call: Callable[[], Any]) -> None:
        """Repeats the call while Kafka returns a retriable error.

        Raises:
            Unsettled: A call failed after ``REQUEST_SECONDS``, or did not return.
        """
        deadline = time.monotonic() + REQUEST_SECONDS
        while True:
            try:
                self._limited(call)
                return
            except confluent_kafka.KafkaException as error:
                if not error.args[0].retriable():
                    raise
                self._refused("retriable")
                if time.monotonic() > deadline:
                    raise self._left_unsettled() from error

    def _limited(self, call: Callable[[], Any]) -> None:
        """Runs a call whose own limit is ``REQUEST_SECONDS``.

        Raises:
            Unsettled: The call did not return.
        """
        try:
            self._within(REQUEST_SECONDS, call)
        except CallNotReturnedError as error:
            raise self._left_unsettled() from error

    def _left_unsettled(self) -> Unsettled:
        self._unsettled = True
        return Unsettled("Kafka did not settle a transaction in time; look at the brokers")

    def _begin(self) -> None:
        if not self._open:
            self._producer.begin_transaction()
            self._open, self._opened_at = True, time.monotonic()

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
