"""A member of a consumer group: fetches, epochs, rebalances, rewinds. Plain Kafka; no thread, clock or event loop.

    poller = Poller(client, owner, batch_records=4000)
    poller.subscribe(["cdp.events.web.v1"])
    batches = poller.batches(poller.fetch())
    taken = [batch for batch in batches if poller.take(batch)]

Two threads may share a poller. The *polling thread* runs :meth:`Poller.fetch`, :meth:`Poller.close` and whatever is
given to ``in_polling_thread``; the owner's methods are called there too, from within :meth:`Poller.fetch`. Everything
else runs in the owner's thread. A client serves one thread at a time, and a call from another thread waits for
:meth:`Poller.fetch` to return, which may itself wait for the owner: so only the polling thread calls the client.
"""

import contextlib
import threading
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple, Protocol

import confluent_kafka

from pipeline.kafka.topic_partition import TopicPartition
from pipeline.obs.log import logger

FETCH_SECONDS = 0.05

log = logger(__name__)


class Batch(list[Any]):
    """Records of one partition, in order, and the epoch they were fetched in."""

    def __init__(self, at: TopicPartition, epoch: int) -> None:
        super().__init__()
        self.topic, self.partition = at
        self.epoch = epoch
        self.taken = False
        """Whether the owner has seen the batch, be it to process or to refuse it."""


class Fetched(NamedTuple):
    """The messages of one fetch, and the epoch in which the fetch began."""

    epoch: int
    messages: list[Any]


class Owner(Protocol):
    """Called when partitions come and go. The group waits until a method returns."""

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
    """Fetches the records of the assigned partitions, and refuses those fetched before a rebalance or a rewind."""

    def __init__(
        self,
        client: Any,
        owner: Owner,
        batch_records: int,
        in_polling_thread: Callable[[Callable[[], None]], None] = _at_once,
    ) -> None:
        """Takes the surface of ``confluent_kafka.Consumer`` as ``client``.

        ``in_polling_thread`` runs a function between two fetches, in the order of the calls; by default at once.
        """
        self._client, self._owner, self._batch_records = client, owner, batch_records
        self._in_polling_thread = in_polling_thread
        self.epoch = 0
        """Counts losses of ownership and rewinds. Records fetched in an earlier epoch are refused."""
        self.held: frozenset[TopicPartition] = frozenset()
        """The assigned partitions. librdkafka cannot be asked for them during a rebalance."""
        self.group: Any = None
        """The group metadata of the last assignment. Its generation fences this worker once the group has moved on."""
        self.behind = False
        """Whether the last fetch was as large as it could be, so that more is waiting."""
        self._lock = threading.Lock()
        self._rewinds = 0
        """Called for and not done yet."""
        self._rebalances = 0
        self._delivered: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, tuple[int, int]] = {}

    # In the polling thread

    def subscribe(self, topics: Iterable[str]) -> None:
        """Join the group. Partitions are assigned within a later :meth:`fetch`."""
        self._client.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def fetch(self) -> Fetched:
        """Return the next messages, or none after ``FETCH_SECONDS``; rebalances happen in here.

        The epoch is read before the fetch: a rebalance within it may still return records of the partitions that were
        taken away. Partitions that were assigned within it return none, for they are paused.
        """
        epoch = self.epoch
        if (
            self._rewinds
        ):  # the client still stands behind what was aborted; the rewind is the polling thread's next call
            return Fetched(epoch, [])
        try:
            messages = self._client.consume(self._batch_records, FETCH_SECONDS)
        except RuntimeError:  # the client was closed while a fetch was queued
            messages = []
        return Fetched(epoch, messages)

    def close(self) -> None:
        """Leave the group; held partitions are revoked first. Does nothing when closed already."""
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
        # Counted after the release, in which the owner may still resume or rewind these partitions for the last time.
        self._rebalances += 1
        self.held -= partitions
        client.unassign()

    def _resume(self, partitions: Collection[TopicPartition], rebalances: int) -> None:
        if self._rebalances == rebalances:
            self._client.resume([confluent_kafka.TopicPartition(*at) for at in partitions])

    def _rewind(self, rebalances: int) -> None:
        try:
            if self._rebalances == rebalances:  # partitions assigned since then start at the committed offsets anyway
                self._seek_committed()
        finally:
            with self._lock:
                self._rewinds -= 1

    def _seek_committed(self) -> None:
        for position in self._client.committed([confluent_kafka.TopicPartition(*at) for at in sorted(self.held)]):
            if position.offset < 0:
                position.offset = confluent_kafka.OFFSET_BEGINNING
            self._client.seek(position)

    # In the owner's thread

    def batches(self, fetched: Fetched) -> list[Batch]:
        """The records by partition; none if they were fetched in an earlier epoch."""
        # A new epoch may begin at any time and replaces both tables. Additions to the old ones then count no more.
        delivered, ends = self._delivered, self._ends
        self.behind = len(fetched.messages) >= self._batch_records
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
                ends[at] = last[-1].offset() + 1 if last else delivered.get(at, 0), message.offset()
            else:
                log.warning("kafka_error", code=error.name(), error=error.str())
        delivered.update((TopicPartition(*key), batch[-1].offset() + 1) for key, batch in batches.items())
        return list(batches.values())

    def take(self, batch: Batch) -> bool:
        """Whether the batch may be processed. It then is to its end, before the owner's thread does anything else."""
        batch.taken = True
        return batch.epoch == self.epoch

    def _new_epoch(self) -> None:
        """Refuse every batch fetched so far. Both threads call it, and two calls must never count as one."""
        with self._lock:
            self.epoch += 1
        self._delivered, self._ends = {}, {}

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Fetch from these partitions, unless they are taken away before the polling thread gets to it."""
        rebalances = self._rebalances
        self._in_polling_thread(lambda: self._resume(partitions, rebalances))

    def rewind(self) -> None:
        """Refuse every batch fetched so far, and fetch again from the committed offsets.

        The seeks run in the polling thread. Until then nothing is fetched: a fetch that starts before the seek returns
        records from before it under the epoch of after it.
        """
        with self._lock:
            self._rewinds += 1
        self._new_epoch()  # after the count: a fetch that reads the new epoch must see the rewind too
        rebalances = self._rebalances
        self._in_polling_thread(lambda: self._rewind(rebalances))

    def behind_markers(self, at: TopicPartition, position: int) -> int:
        """The position, advanced past transaction markers and aborted records if nothing else follows.

        Without it, a partition that transactions write to would seem one record behind for ever.
        """
        delivered, end = self._ends.get(at, (position + 1, position))
        return max(position, end) if position >= delivered else position


def _places(partitions: Iterable[Any]) -> set[TopicPartition]:
    return {TopicPartition(partition.topic, partition.partition) for partition in partitions}
