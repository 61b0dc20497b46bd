"""Faust fed one partition's record batch at a time, over confluent-kafka.

Faust stays the application frame: app, agents, supervision, timers. Its per-event path, its fetcher, its
acknowledgements and its commits are replaced: a message's value is a :class:`Batch`, an agent takes a whole batch
without an ``await``, and offsets travel in the unit of work's transaction only.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import confluent_kafka
from faust.serializers import codecs
from faust.transport import base
from faust.transport.consumer import Consumer
from faust.transport.producer import Producer
from faust.types import TP, ConsumerMessage
from mode import Service

from pipeline.obs.log import logger

FETCH_SECONDS = 0.05
DRAIN_CHECK_SECONDS = 0.2
CODEC = "stitchline-batch"

log = logger(__name__)


class _PassThrough(codecs.Codec):
    """A batch is already what the agent wants; a failing codec would acknowledge it without a word."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


codecs.register(CODEC, _PassThrough())


class Batch(list[Any]):
    """Records of one partition, in order, and the assignment epoch they were fetched in."""

    def __init__(self, topic: str, partition: int, epoch: int) -> None:
        super().__init__()
        self.topic, self.partition, self.epoch = topic, partition, epoch


class Owner:
    """What the worker does when partitions come and go; called on the event loop, while librdkafka waits."""

    async def assigned(self, tps: set[TP]) -> None:
        """Partitions are ours, paused; resume them when their state is restored."""

    async def revoked(self, tps: set[TP]) -> None:
        """Commit and let go of everything; afterwards another worker owns them."""

    async def lost(self, tps: set[TP]) -> None:
        """Another worker may own them already: abort and let go of everything."""


class BatchConsumer(Consumer):
    """Polls librdkafka in a thread of its own, where the rebalance callbacks run too."""

    consumer_stopped_errors = (RuntimeError,)
    transport: "BatchTransport"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.epoch = 0
        """Counts changes of ownership and rewinds: what was fetched before one is thrown away after it."""
        self.waiting = 0
        """Batches handed to an agent and not yet taken into the unit of work."""
        self.behind = False
        """The last fetch was as large as it could be: there is more."""
        self.held: set[TP] = set()
        self._delivered: dict[TP, int] = {}
        self._ends: dict[TP, tuple[int, int]] = {}
        self._rebalances = 0
        self.group: Any = None
        """Who we are to the group, as of the last assignment: its generation fences us once the group has moved on."""
        self.subscribed = asyncio.Event()

    async def on_start(self) -> None:
        """Open the client; nothing is fetched before :meth:`subscribe`."""
        self.client = confluent_kafka.Consumer(self.transport.consumer_config)
        self.poller = ThreadPoolExecutor(1, "kafka-poll")
        self.event_loop = asyncio.get_running_loop()

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Join the group."""
        self.client.subscribe(list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)
        self.subscribed.set()

    # librdkafka calls these in the polling thread, inside consume(); they return when the loop has dealt with it. The
    # client serves one thread at a time: who calls it from another waits until consume() has returned, and for ever if
    # consume() waits for him here. So once it is polled, it is called in the polling thread alone.
    def _on_assign(self, client: Any, partitions: Any) -> None:
        client.assign(partitions)
        client.pause(partitions)
        self.group = client.consumer_group_metadata()
        self._on_loop(self._assigned(_tps(partitions)))

    def _on_revoke(self, client: Any, partitions: Any) -> None:
        self._on_loop(self._taken_away(_tps(partitions), self.transport.owner.revoked))
        client.unassign()

    def _on_lost(self, client: Any, partitions: Any) -> None:
        self._on_loop(self._taken_away(_tps(partitions), self.transport.owner.lost))
        client.unassign()

    def _on_loop(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self.event_loop).result()

    async def _taken_away(self, tps: set[TP], tell: Callable[[set[TP]], Awaitable[None]]) -> None:
        self.new_epoch()
        self._rebalances += 1
        self.app.on_rebalance_start()
        await self.on_partitions_revoked(tps)
        await tell(tps)
        self.held -= tps

    async def _assigned(self, tps: set[TP]) -> None:
        self.held |= tps
        self.app.on_rebalance_start()
        await self.on_partitions_assigned(tps, 0)
        self.resume_partitions(tps)
        await self.transport.owner.assigned(tps)

    def new_epoch(self) -> None:
        """Refuse every batch fetched so far."""
        self.epoch, self.waiting = self.epoch + 1, 0
        self._delivered, self._ends = {}, {}

    def resume(self, tps: Iterable[TP]) -> None:
        """Fetch these, for their state is ready; unless they are taken away before the polling thread comes to it."""
        self.poller.submit(self._resume, tps, self._rebalances)

    def _resume(self, tps: Iterable[TP], rebalances: int) -> None:
        if self._rebalances == rebalances:
            self.client.resume([confluent_kafka.TopicPartition(tp.topic, tp.partition) for tp in tps])

    async def rewind(self) -> None:
        """Fetch again from the committed offsets; nothing since then happened.

        The seeks run in the polling thread, so that no fetch is under way whose records would be taken for newer ones.
        """
        self.new_epoch()
        await self.event_loop.run_in_executor(self.poller, self._seek_committed)

    def _seek_committed(self) -> None:
        self.new_epoch()
        current = [confluent_kafka.TopicPartition(tp.topic, tp.partition) for tp in self.held]
        for position in self.client.committed(current):
            if position.offset < 0:
                position.offset = confluent_kafka.OFFSET_BEGINNING
            self.client.seek(position)

    @Service.task
    async def _poll(self) -> None:
        """Fetch the next batches while the agents work on these.

        Not in Faust's Fetcher: it starts only after an assignment.
        """
        await self.subscribed.wait()
        pending = self._fetch_soon()
        while not self._stopped.is_set():
            epoch, records = await asyncio.shield(pending)
            pending = self._fetch_soon()
            self.behind = len(records) == self.transport.batch_records
            # Only with records in hand: between losing partitions and getting others there are none, Faust's flow stays
            # off until the assignment, and the assignment comes to nobody who does not poll.
            while records and self.epoch == epoch and not self.flow_active and not self._stopped.is_set():
                await asyncio.sleep(0.01)
            for batch in self._by_partition(records, epoch):
                if self.epoch == epoch:
                    await self._deliver(batch)
            while self.waiting and self.epoch == epoch:
                await asyncio.sleep(0)

    def _fetch_soon(self) -> "asyncio.Future[tuple[int, list[Any]]]":
        return self.event_loop.run_in_executor(self.poller, self._fetch)

    def _fetch(self) -> tuple[int, list[Any]]:
        """In the polling thread. The records' epoch is that of before.

        For the rebalance callbacks run inside consume(), which may then still return what it had fetched of the
        partitions they took away. Of those they gave it returns nothing: they are paused.
        """
        epoch = self.epoch
        try:
            records = self.client.consume(self.transport.batch_records, FETCH_SECONDS)
        except RuntimeError:  # closed while a fetch was queued
            records = []
        return epoch, records

    async def _deliver(self, batch: Batch) -> None:
        tp, last = TP(batch.topic, batch.partition), batch[-1].offset()
        value: Any = batch
        message = ConsumerMessage(tp.topic, tp.partition, last, time.time(), 0, [], None, value, None, 0, 0, tp)
        message.generation_id = self.app.consumer_generation_id  # without it the stream skips the message
        self.waiting += 1
        self._delivered[tp] = last + 1
        await self.callback(message)

    def _by_partition(self, records: Iterable[Any], epoch: int) -> Iterable[Batch]:
        batches: dict[tuple[str, int], Batch] = {}
        for record in records:
            error = record.error()
            tp = record.topic(), record.partition()
            batch = batches.get(tp)
            if error is not None:
                self._no_record(record, error, batch, epoch)
                continue
            if batch is None:
                batch = batches[tp] = Batch(*tp, epoch)
            batch.append(record)
        return batches.values()

    def _no_record(self, record: Any, error: Any, batch: Batch | None, epoch: int) -> None:
        """The end of a partition, or something to tell the operator."""
        if error.code() != confluent_kafka.KafkaError._PARTITION_EOF:
            log.warning("kafka_error", code=error.name(), error=error.str())
        elif self.epoch == epoch:
            tp = TP(record.topic(), record.partition())
            delivered = batch[-1].offset() + 1 if batch else self._delivered.get(tp, 0)
            self._ends[tp] = delivered, record.offset()

    def behind_markers(self, tp: TP, position: int) -> int:
        """The position, moved on behind transaction markers and aborted records if only these follow.

        Without it a partition that transactions wrote to would seem one record behind for ever.
        """
        delivered, end = self._ends.get(tp, (position + 1, position))
        return max(position, end) if position >= delivered else position

    def take(self, batch: Batch) -> bool:
        """Whether the agent may still work on this batch. It then does so without an await: none is ever half done."""
        current = batch.epoch == self.epoch
        self.waiting -= current
        return current

    async def wait_empty(self) -> None:
        """Nothing is in an agent's hands while another coroutine runs; what is queued is fetched by the next owner."""

    async def commit(self, *_: Any, **__: Any) -> bool:
        """Offsets travel in the unit of work's transaction."""
        return True

    async def _commit(self, offsets: Any) -> bool:  # noqa: ARG002 - Faust's signature
        return True

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001 - Faust's own service
            await asyncio.sleep(DRAIN_CHECK_SECONDS)

    def assignment(self) -> set[TP]:
        """Kept here: librdkafka answers the question only when no rebalance callback is under way."""
        return set(self.held)

    async def on_stop(self) -> None:
        """Leave the group, which commits through the revocation callback. Not the base class's: it would commit."""
        await self.event_loop.run_in_executor(self.poller, self._leave)
        self.poller.shutdown(wait=False)

    def _leave(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.client.close()

    def close(self) -> None:
        """Closed by :meth:`on_stop`."""

    # What Faust's own tables and commits would have asked for.
    def _nothing(self, *_: Any) -> None:
        return None

    _to_message: Any = _nothing
    _new_topicpartition: Any = _nothing
    key_partition: Any = _nothing
    topic_partitions: Any = _nothing

    def highwater(self, tp: TP) -> int:  # noqa: ARG002 - Faust's signature
        """Asked by Faust's tables, of which there are none."""
        return 0

    async def _empty(self, *_: Any, **__: Any) -> dict[Any, Any]:
        return {}

    create_topic: Any = _empty
    _seek: Any = _empty
    position: Any = _empty
    seek_wait: Any = _empty
    seek_to_committed: Any = _empty
    _getmany: Any = _empty
    earliest_offsets: Any = _empty
    highwaters: Any = _empty
    verify_all_partitions_active: Any = _empty


class BatchTransport(base.Transport):
    """The driver Faust is given: consumer settings, batch size, and who owns what is consumed."""

    Consumer = BatchConsumer
    Producer = Producer
    default_port = 9092
    driver_version = "stitchline-batch"

    consumer_config: dict[str, Any]
    batch_records: int
    owner: Owner


def _tps(partitions: Iterable[Any]) -> set[TP]:
    return {TP(p.topic, p.partition) for p in partitions}
