"""Consumed offsets, produced records and changelog in one Kafka transaction; RocksDB after it."""

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
TIMEOUT_SECONDS = 20.0
"""Longer than a transaction's timeout: by then the brokers have aborted it, if they are there."""
STUCK_MESSAGE = (
    f"Kafka did not settle a transaction within {TIMEOUT_SECONDS:.0f} s; look at the brokers and start the worker "
    "again: it goes on behind the last transaction that was committed, nothing is lost or doubled"
)

_Error = confluent_kafka.KafkaError
FENCED = frozenset({
    _Error.ILLEGAL_GENERATION, _Error.UNKNOWN_MEMBER_ID, _Error.FENCED_INSTANCE_ID, _Error.INVALID_PRODUCER_EPOCH,
    _Error.PRODUCER_FENCED,
})  # fmt: skip
"""Kafka's words for: another worker has taken over."""


class Task(Protocol):
    """One stage on one partition."""

    stage: str
    partition: int
    state: PartitionState

    def before_commit(self) -> None:
        """Emit what is coalesced over the unit of work."""
        ...


class Aborted(Exception):  # noqa: N818 - the outcome, as Kafka names it
    """The transaction was aborted and nothing of it happened. Rewind the consumer and drop decoded rows."""


class Committed(msgspec.Struct, frozen=True):
    """What one transaction held."""

    records: int
    """Consumed."""
    produced: dict[str, int]
    """Records by topic, without its prefix and without changelogs."""
    written: Counter[str]
    """State rows by table."""


class _Outlet:
    """A topic written to: its name on the broker, and the open transaction's records in it."""

    __slots__ = ("name", "records")

    def __init__(self, name: str) -> None:
        self.name, self.records = name, 0


def _ignore(_kind: str) -> None:
    """Refusals are not counted."""


class UnitOfWork:
    """One transaction at a time of one worker.

    A crash at any point leaves RocksDB at or behind the log. :meth:`commit` either returns, with everything durable, or
    raises :class:`Aborted`, with nothing done; any other exception means the outcome is unknown or the worker is
    fenced, and the process must end: the next one rolls forward from the changelog.
    """

    def __init__(
        self,
        config: Mapping[str, str | int],
        transactional_id: str,
        prefix: str,
        transaction_timeout_ms: int = 15_000,
        refused: Callable[[str], None] = _ignore,
        *,
        producer: Callable[[dict[str, Any]], Producer] = configured_producer,
        watchdog: AbstractContextManager[None] | None = None,
    ) -> None:
        """``refused`` hears of every commit that Kafka refuses: retriable, fenced, aborted or fatal.

        ``producer`` makes the client. ``watchdog`` guards what may wait in vain; the usual one ends the process.
        """
        self._prefix, self._refused = prefix, refused
        self._watchdog = watchdog or Watchdog(TIMEOUT_SECONDS, STUCK_MESSAGE)
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
                "linger.ms": 50,  # a commit's flush does not wait for it; until then larger batches cost less
                "compression.type": "lz4",
                "message.max.bytes": MAX_RECORD_BYTES,
            }
        )
        self._produce_one = made.produce

    def start(self) -> None:
        """Fence older holders of the transactional id and abort what they left open."""
        self._producer.init_transactions(INIT_TIMEOUT_SECONDS)

    def emit(
        self, topic: Topic, key: bytes | str | None, value: bytes | None, headers: list[Header] | None = None
    ) -> None:
        """Add a record to the transaction; see :class:`~pipeline.kafka.record.Emit`."""
        outlet = self._outlets.get(topic) or self._open_outlet(topic)
        outlet.records += 1
        if headers is None and self._open:  # several times an event: no detours
            try:
                self._produce_one(outlet.name, value, key, -1, None)
                return
            except BufferError:
                self._producer.poll(QUEUE_FULL_WAIT_SECONDS)
        self._produce(outlet.name, value, key, headers=headers)

    def consumed(self, topic: str, partition: int, next_offset: int, records: int) -> None:
        """The group's position moves to ``next_offset`` with this transaction."""
        self._begin()
        self._offsets[topic, partition] = next_offset
        self.records += records

    def set_committed_positions(self, positions: Mapping[Any, int]) -> None:
        """The group's committed offsets in the assigned partitions, by (topic, partition)."""
        self._positions = dict(positions)

    def knows_position(self, topic: str, partition: int) -> bool:
        """Whether the group's position in a partition is known, so that :meth:`hold_position` can be called."""
        return (topic, partition) in self._positions

    def hold_position(self, topic: str, partition: int) -> None:
        """Timers alone produced records. Re-commit the current offset so that this transaction is fenced as well."""
        self._begin()
        self._offsets.setdefault((topic, partition), self._positions[topic, partition])

    def commit(self, tasks: list[Any], group: Callable[[], Any]) -> Committed | None:
        """Make everything since the last commit durable; None if there is nothing.

        1. let tasks emit what they coalesced, 2. changelog, 3. flush, 4. offsets, 5. Kafka's commit, 6. RocksDB.

        The flush comes before the offsets: once the group has taken them, a new owner must find our changelog on the
        broker. ``group`` gives the consumer's metadata, whose generation fences a worker that was presumed dead.

        Raises:
            Aborted: Kafka refused the transaction; nothing of it happened.
        """
        if not self._offsets:
            return None
        for task in tasks:
            task.before_commit()
        changes = [(task.state, self._log(task)) for task in tasks]
        try:
            with self._watchdog:  # librdkafka has been seen waiting for ever for a coordinator that had come back
                self._producer.flush()
                self._send_offsets(group)
                self._commit_transaction()
        except confluent_kafka.KafkaException as error:
            self.abort_after(error)
            message = f"transaction aborted: {error.args[0].str()}"
            raise Aborted(message) from error
        for state, rows in changes:
            if rows:
                state.persist(rows)
        self._positions.update(self._offsets)
        done = self._committed([state for state, rows in changes if rows])
        self._closed()
        return done

    def abort(self) -> None:
        """Nothing since the last commit happened."""
        if self._open:
            with self._watchdog:
                self._producer.abort_transaction(INIT_TIMEOUT_SECONDS)
        self._closed()

    def abort_after(self, error: confluent_kafka.KafkaException) -> None:
        """Abort where Kafka says an abort settles it; else raise the error, for the process to end."""
        kafka_error = error.args[0]
        if kafka_error.fatal():
            self._refused("fatal")
            raise error
        self._refused("fenced" if kafka_error.code() in FENCED else "aborted")
        self.abort()

    def poll(self) -> None:
        """Serve delivery reports."""
        self._producer.poll(0)

    def _log(self, task: Task) -> list[Change]:
        """Produce the task's changelog; the last record's offset becomes the state's position when it is delivered."""
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
        """Repeat while Kafka says that the same call may be repeated; its outcome is then definite."""
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
