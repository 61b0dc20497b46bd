"""A member of a consumer group: fetches, epochs, rebalances and rewinds. Starts no thread, reads no clock.

    poller = Poller(client, owner, batch_records=4000)
    poller.subscribe(["cdp.events.web.v1"])
    batches = poller.batches(poller.fetch())
    taken = [batch for batch in batches if poller.take(batch)]

Two threads may share a poller. The *polling thread* runs :meth:`Poller.fetch`, :meth:`Poller.close` and every function
passed to ``in_polling_thread``. :meth:`Poller.fetch` calls the owner's methods in that thread too. All other methods
run in the owner's thread. Only the polling thread calls the client: a client serves one thread at a time, so a call
from the owner's thread would wait for :meth:`Poller.fetch`, which may be waiting for the owner.
"""

import contextlib
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import confluent_kafka

from pipeline.kafka.topic_partition import TopicPartition
from pipeline.obs.log import logger

FETCH_SECONDS = 0.05
LINGER_SECONDS = 0.005
"""How long a fetch waits for further records after the first one: fewer, larger batches for a few milliseconds."""
LARGE_SHARE = 8
"""A fetch of an eighth of ``batch_records`` or more is large: more records may be waiting on the brokers."""
REQUEST_SECONDS = 20.0

log = logger(__name__)


class Batch(list[Any]):
    """Records of one partition, in offset order, and the epoch in which they were fetched."""

    def __init__(self, at: TopicPartition, epoch: int) -> None:
        super().__init__()
        self.topic, self.partition = at
        self.epoch = epoch
        self.taken = False
        """Whether the owner has processed or refused the batch."""


class Fetched(NamedTuple):
    """The messages of one fetch, and the epoch in which the fetch began."""

    epoch: int
    messages: list[Any]
    high_watermarks: Mapping[TopicPartition, int] = MappingProxyType({})
    """By partition; empty after a small fetch."""
    number: int = 0
    """Counts the fetches of a poller, from 1."""


class Owner(Protocol):
    """Called when partitions are assigned or taken away. The rebalance waits until the method returns."""

    def on_assign(self, partitions: set[TopicPartition]) -> None:
        """The partitions are assigned and paused. Call :meth:`Poller.resume` once their state is restored."""
        ...

    def on_revoke(self, partitions: set[TopicPartition]) -> None:
        """Another worker owns the partitions once this returns: commit, then release their state."""
        ...

    def on_lost(self, partitions: set[TopicPartition]) -> None:
        """Another worker may own the partitions already: abort, then release their state."""
        ...


def _at_once(call: Callable[[], None]) -> None:
    call()


class Poller:
    """Fetches records of the assigned partitions. Refuses records that were fetched before a rebalance or a rewind."""

    def __init__(
        self,
        client: Any,
        owner: Owner,
        batch_records: int,
        in_polling_thread: Callable[[Callable[[], None]], None] = _at_once,
    ) -> None:
        """``client`` has the interface of ``confluent_kafka.Consumer``.

        ``in_polling_thread`` runs functions in call order, each between two fetches; by default at once.
        """
        self._client, self._owner, self._batch_records = client, owner, batch_records
        self._in_polling_thread = in_polling_thread
        self.epoch = 0
        """Counts losses of ownership and rewinds. Records fetched in an earlier epoch are refused."""
        self.held: frozenset[TopicPartition] = frozenset()
        """The assigned partitions. Kept here because librdkafka cannot list them during a rebalance."""
        self.group: Any = None
        """The group metadata of the last assignment. Its generation fences this worker after the next rebalance."""
        self.backlog = 0
        """Records that wait on the brokers, as of the last fetch; 0 if that was small.

        Counts transaction markers and records of open transactions too, so it is only an estimate.
        """
        self._lock = threading.Lock()
        self._rewinds = 0
        """Rewinds that were requested and have not run yet."""
        self._rebalances = 0
        self._delivered: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, tuple[int, int]] = {}
        self._untaken: list[Batch] = []
        """The batches of the last fetch."""
        self._begun = self._begun_at_commit = 0
        """Number of the newest fetch, now and at the last commit."""
        self._filled = self._passed_on = 0
        """Numbers of the newest fetch with a record and of the newest one passed to :meth:`batches`."""

    # In the polling thread

    def subscribe(self, topics: Iterable[str]) -> None:
        """Joins the group. Partitions are assigned during a later :meth:`fetch`."""
        self._client.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def fetch(self) -> Fetched:
        """Returns the next messages soon after the first is there, or none after ``FETCH_SECONDS``.

        Rebalances happen during this call.
        """
        # Read before the fetch: a fetch with a rebalance in it may still return records of revoked partitions.
        # Newly assigned partitions return none, because they are paused.
        epoch = self.epoch
        self._begun = number = self._begun + 1
        if self._rewinds:  # until the rewind runs, the client would fetch from behind the aborted records
            return Fetched(epoch, [], number=number)
        try:
            messages = self._client.consume(1, FETCH_SECONDS)
            if messages and messages[0].error() is None:
                self._filled = number
            if messages and self._batch_records > 1 and self.epoch == epoch:
                messages += self._client.consume(self._batch_records - 1, LINGER_SECONDS)
        except RuntimeError:  # the client was closed while a fetch was queued
            messages = []
        return Fetched(epoch, messages, self._high_watermarks() if self._is_large(messages) else {}, number)

    def _is_large(self, messages: Collection[Any]) -> bool:
        return len(messages) * LARGE_SHARE >= self._batch_records

    def _high_watermarks(self) -> dict[TopicPartition, int]:
        """Returns the end of each held partition as of the last answer of its broker, without a request."""
        ends = {
            at: self._client.get_watermark_offsets(confluent_kafka.TopicPartition(*at), cached=True) for at in self.held
        }
        return {at: end[1] for at, end in ends.items() if end is not None}

    def close(self) -> None:
        """Revokes the held partitions and leaves the group. Does nothing if already closed."""
        with contextlib.suppress(RuntimeError):
            self._client.close()

    def _on_assign(self, client: Any, partitions: Iterable[Any]) -> None:
        client.assign(partitions)
        client.pause(partitions)
        self.group = client.consumer_group_metadata()
        assigned = _places(partitions)
        self.held |= assigned
        self._owner.on_assign(assigned)

    def _on_revoke(self, client: Any, partitions: Iterable[Any]) -> None:
        self._take_away(client, _places(partitions), self._owner.on_revoke)

    def _on_lost(self, client: Any, partitions: Iterable[Any]) -> None:
        self._take_away(client, _places(partitions), self._owner.on_lost)

    def _take_away(
        self, client: Any, partitions: set[TopicPartition], release: Callable[[set[TopicPartition]], None]
    ) -> None:
        self._new_epoch()
        release(partitions)
        # Counted after the release, during which the owner may still resume or rewind these partitions.
        self._rebalances += 1
        self.held -= partitions
        client.unassign()

    def _resume(self, partitions: Collection[TopicPartition], rebalances: int) -> None:
        if self._rebalances == rebalances:
            self._client.resume([confluent_kafka.TopicPartition(*at) for at in partitions])

    def _pause(self, topic: str, rebalances: int) -> None:
        if self._rebalances == rebalances:
            self._client.pause([confluent_kafka.TopicPartition(*at) for at in sorted(self.held) if at.topic == topic])

    def _rewind(self, rebalances: int) -> None:
        try:
            if self._rebalances == rebalances:  # partitions assigned since then start at the committed offsets anyway
                self._seek_committed()
        finally:
            with self._lock:
                self._rewinds -= 1

    def _seek_committed(self) -> None:
        held = [confluent_kafka.TopicPartition(*at) for at in sorted(self.held)]
        for position in self._client.committed(held, timeout=REQUEST_SECONDS):
            if position.offset < 0:
                position.offset = confluent_kafka.OFFSET_BEGINNING
            self._client.seek(position)

    # In the owner's thread

    def batches(self, fetched: Fetched) -> list[Batch]:
        """Returns one batch per partition, or none if the records were fetched in an earlier epoch."""
        # The polling thread may begin a new epoch at any time and replace both tables; the old ones are then discarded.
        delivered, ended_at = self._delivered, self._ends
        self.backlog, self._passed_on = 0, fetched.number
        if fetched.epoch != self.epoch or not fetched.messages:
            return []
        batches: dict[tuple[str, int], Batch] = {}
        for message in fetched.messages:
            key = message.topic(), message.partition()
            error = message.error()
            if error is None:
                batch = batches.get(key)
                if batch is None:
                    batch = batches[key] = Batch(TopicPartition(*key), fetched.epoch)
                batch.append(message)
            elif error.code() == confluent_kafka.KafkaError._PARTITION_EOF:
                at = TopicPartition(*key)
                last = batches.get(key)
                ended_at[at] = last[-1].offset() + 1 if last else delivered.get(at, 0), message.offset()
            else:
                log.warning("kafka_error", code=error.name(), error=error.str())
        delivered.update((TopicPartition(*key), batch[-1].offset() + 1) for key, batch in batches.items())
        ends = fetched.high_watermarks
        self.backlog = sum(max(0, ends[at] - delivered[at]) for at in ends.keys() & delivered.keys())
        self._untaken = list(batches.values())
        return self._untaken

    @property
    def has_untaken(self) -> bool:
        """Returns whether batches of the last fetch are still to be taken."""
        return any(not batch.taken and batch.epoch == self.epoch for batch in self._untaken)

    def note_commit(self) -> None:
        """Notes a commit, for :attr:`has_earlier`."""
        self._begun_at_commit = self._begun

    @property
    def has_earlier(self) -> bool:
        """Returns whether records that may have arrived before the last commit are about to be passed on.

        The polling thread fetches ahead. So the fetch after a commit holds only the records that were there when the
        owner began the work before that commit; those that arrived during the work and the commit are in the next one.
        """
        return self._passed_on <= self._begun_at_commit and self._filled > self._passed_on

    def take(self, batch: Batch) -> bool:
        """Returns whether to process the batch, which the owner's thread then does before anything else."""
        batch.taken = True
        return batch.epoch == self.epoch

    def _new_epoch(self) -> None:
        """Invalidates every batch fetched so far. Both threads call it, so the lock protects the increment."""
        with self._lock:
            self.epoch += 1
        self._delivered, self._ends = {}, {}

    def pause(self, topic: str) -> None:
        """Pauses the held partitions of a topic. Batches of it that are fetched already are the owner's to refuse."""
        rebalances = self._rebalances
        self._in_polling_thread(lambda: self._pause(topic, rebalances))

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Resumes these partitions, unless a rebalance comes before the polling thread runs the call."""
        rebalances = self._rebalances
        self._in_polling_thread(lambda: self._resume(partitions, rebalances))

    def rewind(self) -> None:
        """Invalidates every batch fetched so far and fetches again from the committed offsets.

        The seeks run in the polling thread, and fetching stops until then. Otherwise a fetch that starts before the
        seek would return records from the old position in the new epoch.
        """
        with self._lock:
            self._rewinds += 1
        self._new_epoch()  # after the count: a fetch that reads the new epoch must see the rewind too
        rebalances = self._rebalances
        self._in_polling_thread(lambda: self._rewind(rebalances))

    def is_at_end(self, at: TopicPartition, next_offset: int) -> bool:
        """Returns whether a held partition had no further record when it was fetched from last.

        ``next_offset`` is the offset behind the last processed record of this assignment, 0 without one: a record that
        was fetched and is not processed yet counts as further.
        """
        delivered = self._delivered.get(at, 0)
        end = self._ends.get(at)
        return end is not None and end[0] >= delivered and next_offset >= delivered

    def behind_markers(self, at: TopicPartition, position: int) -> int:
        """Returns the position, advanced past transaction markers and aborted records if only those follow.

        Without this, a partition that transactions write to would always have a lag of at least one record.
        """
        delivered, end = self._ends.get(at, (position + 1, position))
        return max(position, end) if position >= delivered else position


def _places(partitions: Iterable[Any]) -> set[TopicPartition]:
    return {TopicPartition(partition.topic, partition.partition) for partition in partitions}
