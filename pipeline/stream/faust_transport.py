"""The poller as a Faust transport: each Faust message carries a batch of records of one partition.

Faust provides app, agents and supervision. Its per-event processing, fetcher, acknowledgements and commits are
replaced: the value of a message is a :class:`~pipeline.stream.poller.Batch`, an agent processes a whole batch without
an ``await``, and only the unit of work's transaction commits offsets.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from confluent_kafka import KafkaException
from faust.serializers import codecs
from faust.transport import base
from faust.transport.consumer import Consumer
from faust.transport.producer import Producer
from faust.types import TP, ConsumerMessage
from mode import Service

from pipeline.kafka.topic_partition import TopicPartition
from pipeline.stream.poller import Batch, Fetched, Poller
from pipeline.stream.worker import Worker

DRAIN_CHECK_SECONDS = 0.2
FLOW_CHECK_SECONDS = 0.01
CODEC = "stitchline-batch"


class _PassThrough(codecs.Codec):
    """Returns a batch unchanged. It cannot fail: Faust silently acknowledges an event whose codec fails."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


codecs.register(CODEC, _PassThrough())


class BatchConsumer(Consumer):
    """Runs the poller in its own thread and the worker on the event loop.

    Implements :class:`~pipeline.stream.poller.Owner`: forwards assignments and revocations to Faust and the worker.
    """

    consumer_stopped_errors = (RuntimeError,)
    transport: "BatchTransport"

    async def on_start(self) -> None:
        """Opens the client. The first fetch follows :meth:`subscribe`."""
        transport = self.transport
        self.worker = transport.worker
        self.thread = ThreadPoolExecutor(1, "kafka-poll")
        self.event_loop = asyncio.get_running_loop()
        self.subscribed = asyncio.Event()
        self.poller = Poller(transport.open_client(), self, transport.batch_records, self._in_polling_thread)
        self.worker.poller = self.poller

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Joins the group."""
        self.poller.subscribe(topics)
        self.subscribed.set()

    @Service.task
    async def _poll(self) -> None:
        """Fetches the next batches while the agents process the current ones.

        Faust's own Fetcher cannot do this: it starts only after an assignment, and only a fetch leads to one.
        """
        await self.subscribed.wait()
        pending = self._fetch_soon()
        while not self._stopped.is_set():
            try:
                fetched = await asyncio.shield(pending)
            except KafkaException as error:
                self.worker.fail(error)
                return
            if self._stopped.is_set():
                return
            pending = self._fetch_soon()
            await self._deliver(fetched)

    def _fetch_soon(self) -> "asyncio.Future[Fetched]":
        return self.event_loop.run_in_executor(self.thread, self.poller.fetch)

    async def _deliver(self, fetched: Fetched) -> None:
        """Passes the batches to the agents. Returns when all are taken or a new epoch has invalidated them."""
        poller, epoch = self.poller, fetched.epoch
        batches = poller.batches(fetched)
        # Waits only if there are records. Between a revocation and the next assignment there are none, and Faust's flow
        # is off: waiting for it would stop the polling that the assignment needs.
        while batches and poller.epoch == epoch and not self.flow_active and not self._stopped.is_set():
            await asyncio.sleep(FLOW_CHECK_SECONDS)
        for batch in batches:
            if poller.epoch == epoch:
                await self.callback(self._message(batch))
        while poller.epoch == epoch and not all(batch.taken for batch in batches):
            await asyncio.sleep(0)

    def _message(self, batch: Batch) -> ConsumerMessage:
        tp, last = TP(batch.topic, batch.partition), batch[-1].offset()
        value: Any = batch
        message = ConsumerMessage(tp.topic, tp.partition, last, time.time(), 0, [], None, value, None, 0, 0, tp)
        message.generation_id = self.app.consumer_generation_id  # without it the stream skips the message
        return message

    # Owner, called in the polling thread. Each method returns after the event loop has processed the call.

    def on_assign(self, partitions: set[TopicPartition]) -> None:
        """Forwards an assignment to Faust and the worker."""
        self._on_loop(self._assigned(partitions))

    def on_revoke(self, partitions: set[TopicPartition]) -> None:
        """Forwards a revocation to Faust and the worker."""
        self._take_away(partitions, self.worker.on_revoke)

    def on_lost(self, partitions: set[TopicPartition]) -> None:
        """Forwards a loss of partitions to Faust and the worker."""
        self._take_away(partitions, self.worker.on_lost)

    def _take_away(self, partitions: set[TopicPartition], release: Callable[[set[TopicPartition]], None]) -> None:
        self.worker.end_restore()  # blocks this thread, while the event loop serves the health pages
        self._on_loop(self._taken_away(partitions, release))

    async def _assigned(self, partitions: set[TopicPartition]) -> None:
        tps = _tps(partitions)
        self.app.on_rebalance_start()
        await self.on_partitions_assigned(tps, 0)
        self.resume_partitions(tps)
        self.worker.on_assign(partitions)

    async def _taken_away(
        self, partitions: set[TopicPartition], release: Callable[[set[TopicPartition]], None]
    ) -> None:
        self.app.on_rebalance_start()
        await self.on_partitions_revoked(_tps(partitions))
        release(partitions)

    def _on_loop(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self.event_loop).result()

    def _in_polling_thread(self, call: Callable[[], None]) -> None:
        self.thread.submit(call).add_done_callback(self._ended)

    def _ended(self, future: "Future[None]") -> None:
        error = future.exception()
        if error is not None and not isinstance(error, self.consumer_stopped_errors):
            self.event_loop.call_soon_threadsafe(self.worker.fail, error)

    async def on_stop(self) -> None:
        """Leaves the group; the revocation commits the unit of work. The base method would commit offsets."""
        await self.event_loop.run_in_executor(self.thread, self.poller.close)
        self.thread.shutdown(wait=False)

    # Methods that Faust requires of a consumer and that the poller or the unit of work replaces

    def assignment(self) -> set[TP]:
        """Returns the assigned partitions, without a call to the client."""
        return _tps(self.poller.held)

    async def wait_empty(self) -> None:
        """Returns at once: no batch is half processed now, and the next owner fetches queued batches again."""

    async def commit(self, *_: Any, **__: Any) -> bool:
        """Does nothing: the unit of work's transaction commits offsets."""
        return True

    async def _commit(self, offsets: Any) -> bool:  # noqa: ARG002 - Faust's signature
        return True

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001 - Faust's own service
            await asyncio.sleep(DRAIN_CHECK_SECONDS)

    def close(self) -> None:
        """Does nothing: :meth:`on_stop` closes the client."""

    def highwater(self, tp: TP) -> int:  # noqa: ARG002 - Faust's signature
        """Returns 0: only Faust's tables use it, and there are none."""
        return 0

    def _nothing(self, *_: Any) -> None:
        return None

    async def _empty(self, *_: Any, **__: Any) -> dict[Any, Any]:
        return {}

    _to_message: Any = _nothing
    _new_topicpartition: Any = _nothing
    key_partition: Any = _nothing
    topic_partitions: Any = _nothing
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
    """Faust's transport driver: how to open the client, the batch size, and the worker that processes the batches."""

    Consumer = BatchConsumer
    Producer = Producer
    default_port = 9092
    driver_version = "stitchline-batch"

    open_client: Callable[[], Any]
    batch_records: int
    worker: Worker


def _tps(partitions: Iterable[TopicPartition]) -> set[TP]:
    return {TP(*at) for at in partitions}
