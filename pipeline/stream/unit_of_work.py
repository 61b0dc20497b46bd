"""Consumed offsets, produced records and changelog in one Kafka transaction; RocksDB after it."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import confluent_kafka

from pipeline.state.partition import PartitionState, changelog_key
from pipeline.state.store import Change
from pipeline.stream.record import Header
from pipeline.topics import CHANGELOGS, Topic

QUEUE_FULL_WAIT_SECONDS = 0.1
INIT_TIMEOUT_SECONDS = 60.0


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


class UnitOfWork:
    """One transaction at a time of one worker.

    A crash at any point leaves RocksDB at or behind the log. :meth:`commit` either returns, with everything durable, or
    raises :class:`Aborted`, with nothing done; any other exception means the outcome is unknown or the worker is fenced,
    and the process must end: the next one rolls forward from the changelog.
    """

    def __init__(
        self, config: Mapping[str, str | int], transactional_id: str, prefix: str, transaction_timeout_ms: int = 15_000
    ) -> None:
        self._prefix = prefix
        self._names: dict[Topic, str] = {}
        self._offsets: dict[tuple[str, int], int] = {}
        self.records = 0
        """Records consumed by the open transaction."""
        self._open = False
        self._producer = confluent_kafka.Producer(
            {
                **config,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": transaction_timeout_ms,
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": 256 << 10,
                "batch.num.messages": 20_000,
                "batch.size": 512 << 10,
                "linger.ms": 5,
                "compression.type": "lz4",
            }
        )

    def start(self) -> None:
        """Fence older holders of the transactional id and abort what they left open."""
        self._producer.init_transactions(INIT_TIMEOUT_SECONDS)

    def emit(
        self, topic: Topic, key: bytes | str | None, value: bytes | None, headers: list[Header] | None = None
    ) -> None:
        """Add a record to the transaction; see :class:`~pipeline.stream.record.Emit`."""
        name = self._names.get(topic) or self._name(topic)
        if headers is None:
            self._produce(name, value, key)
        else:
            self._produce(name, value, key, headers=headers)

    def consumed(self, topic: str, partition: int, next_offset: int, records: int) -> None:
        """The group's position moves to ``next_offset`` with this transaction."""
        self._begin()
        self._offsets[topic, partition] = next_offset
        self.records += records

    def commit(self, tasks: list[Any], group: Callable[[], Any]) -> None:
        """Make everything since the last commit durable.

        1. let tasks emit what they coalesced, 2. changelog, 3. flush, 4. offsets, 5. Kafka's commit, 6. RocksDB.

        The flush comes before the offsets: once the group has taken them, a new owner must find our changelog on the
        broker. ``group`` gives the consumer's metadata, whose generation fences a worker that was presumed dead.

        Raises:
            Aborted: Kafka refused the transaction; nothing of it happened.
        """
        if not self._offsets:
            return
        for task in tasks:
            task.before_commit()
        changes = [(task.state, self._log(task)) for task in tasks]
        try:
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
        self._closed()

    def abort(self) -> None:
        """Nothing since the last commit happened."""
        if self._open:
            self._producer.abort_transaction(INIT_TIMEOUT_SECONDS)
        self._closed()

    def abort_after(self, error: confluent_kafka.KafkaException) -> None:
        """Abort where Kafka says an abort settles it; else raise the error, for the process to end."""
        kafka_error = error.args[0]
        if kafka_error.fatal():
            raise error
        self.abort()

    def poll(self) -> None:
        """Serve delivery reports."""
        self._producer.poll(0)

    def _log(self, task: Task) -> list[Change]:
        """Produce the task's changelog; the last record's offset becomes the state's position when it is delivered."""
        changes = task.state.changes()
        name = self._name(CHANGELOGS[task.stage])

        def delivered(error: Any, message: Any, state: PartitionState = task.state) -> None:
            if error is None:
                state.position = message.offset() + 1

        last = len(changes) - 1
        for at, change in enumerate(changes):
            self._produce(name, change.value, changelog_key(change), task.partition, delivered if at == last else None)
        return changes

    def _produce(
        self,
        name: str,
        value: bytes | None,
        key: bytes | str | None,
        partition: int = -1,
        on_delivery: Callable[[Any, Any], None] | None = None,
        headers: list[Header] | None = None,
    ) -> None:
        self._begin()
        while True:
            try:
                if headers is None:
                    self._producer.produce(name, value, key, partition, on_delivery)
                else:
                    self._producer.produce(name, value, key, partition, on_delivery, headers=headers)
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

    def _begin(self) -> None:
        if not self._open:
            self._producer.begin_transaction()
            self._open = True

    def _closed(self) -> None:
        self._open = False
        self._offsets = {}
        self.records = 0

    def _name(self, topic: Topic) -> str:
        return self._names.setdefault(topic, topic.of(self._prefix))
