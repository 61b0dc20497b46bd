"""Sends records to Kafka and finds out whether the brokers have them.

One idempotent producer with acks=all, polled by the event loop, so that delivery reports arrive without locks.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from confluent_kafka import KafkaError, KafkaException

from connectors.collect.encode import Outgoing
from pipeline.kafka.clients import MAX_RECORD_BYTES, Config, idempotent_producer
from pipeline.obs.log import logger

TICK_SECONDS: Final = 0.002
OPTIONS: Final[dict[str, Any]] = {
    "acks": "all",
    "linger.ms": 2,
    "compression.type": "lz4",
    "message.max.bytes": MAX_RECORD_BYTES,
    "message.timeout.ms": 30_000,
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 128 << 10,
}
REFUSED_FOR_GOOD: Final = frozenset({
    KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD,
})  # fmt: skip
"""Codes of errors that concern the record alone and that no repetition cures."""


log = logger(__name__)


class Producer(Protocol):
    """The part of ``confluent_kafka.Producer`` that a line uses."""

    def produce(self, topic: str, **record: Any) -> None:
        """Queues a record. Raises BufferError while the queue is full."""
        ...

    def poll(self, timeout: float) -> Any:
        """Serves delivery reports."""
        ...

    def purge(self, *, in_queue: bool, in_flight: bool) -> None:
        """Gives up queued records."""
        ...

    def flush(self, timeout: float) -> int:
        """Waits until the queue is empty, at most ``timeout`` seconds. Returns the number of records left."""
        ...


class _Batch:
    """Records that were sent together: how many are not reported yet, and which failed."""

    __slots__ = ("deadline", "failed", "future", "left", "refused")

    def __init__(self, left: int, future: "asyncio.Future[bool]", deadline: float) -> None:
        self.left, self.future, self.deadline = left, future, deadline
        self.failed = self.refused = False

    def report(self, error: KafkaError | None, _message: object) -> None:
        """Takes the delivery report of one record."""
        self.left -= 1
        if error is not None:
            self.failed = True
            self.refused = self.refused or error.code() in REFUSED_FOR_GOOD
        if not self.left and not self.future.done():
            self.future.set_result(not self.failed)


class KafkaLine:
    """The way to Kafka. ``producer`` makes the producer, which tests replace."""

    def __init__(
        self,
        config: Config,
        timeout_seconds: float,
        producer: Callable[[Config, dict[str, Any]], Producer] = idempotent_producer,  # type: ignore[assignment]
    ) -> None:
        self._new_producer: Callable[[], Producer] = lambda: producer(config, OPTIONS)
        self._producer = self._new_producer()
        self._timeout_seconds = timeout_seconds
        self._open: deque[_Batch] = deque()
        self._wake = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    async def send(self, records: Sequence[Outgoing]) -> bool:
        """Returns True once the brokers have every record; False if that is not certain within the time limit.

        After False the records may be in Kafka nevertheless.
        """
        batch = await self._sent(records)
        return await batch.future

    async def send_one(self, record: Outgoing) -> bool | None:
        """Sends one record. Returns as :meth:`send`, or None if Kafka refuses the record for good."""
        batch = await self._sent([record])
        taken = await batch.future
        return None if batch.refused else taken

    def give_up_queued(self) -> None:
        """Gives up the records that no broker has been sent yet. Their delivery fails at once."""
        self._producer.purge(in_queue=True, in_flight=False)

    async def close(self, grace_seconds: float) -> int:
        """Waits for outstanding records. Returns how many are left."""
        if self._polling is not None:
            self._polling.cancel()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._producer.flush, grace_seconds)

    async def _sent(self, records: Sequence[Outgoing]) -> _Batch:
        loop = asyncio.get_running_loop()
        batch = _Batch(len(records), loop.create_future(), loop.time() + self._timeout_seconds)
        produce, report = self._producer.produce, batch.report
        for position, record in enumerate(records):
            try:
                produce(
                    record.topic, key=record.key, value=record.value, headers=record.headers or None, on_delivery=report
                )
            except (BufferError, KafkaException) as error:
                if isinstance(error, KafkaException) and error.args[0].fatal():
                    self._replace_producer(error)
                batch.left -= len(records) - position
                batch.failed = True
                if not batch.left:
                    batch.future.set_result(False)
                break
        self._open.append(batch)
        if self._polling is None:
            self._polling = loop.create_task(self._poll())
        self._wake.set()
        return batch

    def _replace_producer(self, error: KafkaException) -> None:
        """Replaces a producer that has failed for good. What it has not reported runs into the time limit."""
        log.warning("producer_replaced", error=str(error.args[0]))
        self._producer = self._new_producer()

    async def _poll(self) -> None:
        """Serves delivery reports while batches are open, and ends those whose time is over."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._open:
                self._wake.clear()
                await self._wake.wait()
            self._producer.poll(0)
            now = loop.time()
            while self._open and (self._open[0].future.done() or self._open[0].deadline < now):
                batch = self._open.popleft()
                if not batch.future.done():
                    batch.failed = True
                    batch.future.set_result(False)
            await asyncio.sleep(TICK_SECONDS)
