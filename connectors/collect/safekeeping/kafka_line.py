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

TICK_SECONDS: Final = 0.005
OPTIONS: Final[dict[str, Any]] = {
    "acks": "all",
    "linger.ms": 2,  # requests have been gathered before: connections.GATHER_SECONDS
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

    def produce(self, topic: str, value: bytes, key: bytes | None, **options: Any) -> None:
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
    """Records that were sent together: how many are not reported yet, and whether one failed."""

    __slots__ = ("deadline", "done", "failed", "left", "refused")

    def __init__(self, left: int, deadline: float, done: Callable[[bool], None]) -> None:
        self.left, self.deadline = left, deadline
        self.done: Callable[[bool], None] | None = done
        """None once it has been called."""
        self.failed = self.refused = False

    def report(self, error: KafkaError | None, _message: object) -> None:
        """Takes the delivery report of one record."""
        self.left -= 1
        if error is not None:
            self.failed = True
            self.refused = self.refused or error.code() in REFUSED_FOR_GOOD
        if not self.left:
            self.end()

    def end(self) -> None:
        """Calls ``done``, unless it has been called."""
        done, self.done = self.done, None
        if done is not None:
            done(not self.failed)


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
        self._tick: asyncio.TimerHandle | None = None

    def send_then(self, records: Sequence[Outgoing], done: Callable[[bool], None]) -> None:
        """Calls ``done`` with True once the brokers have every record; with False if that is not certain in time.

        After False the records may be in Kafka nevertheless.
        """
        self._sent(records, done)

    async def send(self, records: Sequence[Outgoing]) -> bool:
        """Returns what :meth:`send_then` calls with."""
        taken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._sent(records, _settle(taken))
        return await taken

    async def send_one(self, record: Outgoing) -> bool | None:
        """Sends one record. Returns as :meth:`send`, or None if Kafka refuses the record for good."""
        taken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        batch = self._sent([record], _settle(taken))
        is_taken = await taken
        return None if batch.refused else is_taken

    def give_up_queued(self) -> None:
        """Gives up the records that no broker has been sent yet. Their delivery fails at once."""
        self._producer.purge(in_queue=True, in_flight=False)

    async def close(self, grace_seconds: float) -> int:
        """Waits for outstanding records. Returns how many are left."""
        if self._tick is not None:
            self._tick.cancel()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._producer.flush, grace_seconds)

    def _sent(self, records: Sequence[Outgoing], done: Callable[[bool], None]) -> _Batch:
        loop = asyncio.get_running_loop()
        batch = _Batch(len(records), loop.time() + self._timeout_seconds, done)
        produce, report = self._producer.produce, batch.report
        for position, record in enumerate(records):
            try:
                produce(record.topic, record.value, record.key, headers=record.headers or None, on_delivery=report)
            except (BufferError, KafkaException) as error:
                if isinstance(error, KafkaException) and error.args[0].fatal():
                    self._replace_producer(error)
                batch.left -= len(records) - position
                batch.failed = True
                if not batch.left:
                    loop.call_soon(batch.end)
                break
        self._open.append(batch)
        if self._tick is None:
            self._tick = loop.call_later(TICK_SECONDS, self._poll, loop)
        return batch

    def _replace_producer(self, error: KafkaException) -> None:
        """Replaces a producer that has failed for good. What it has not reported runs into the time limit."""
        log.warning("producer_replaced", error=str(error.args[0]))
        self._producer = self._new_producer()

    def _poll(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serves the delivery reports of all requests in one call, and ends batches whose time is over."""
        self._tick = None
        try:
            self._producer.poll(0)
            now = loop.time()
            while self._open and (self._open[0].done is None or self._open[0].deadline < now):
                batch = self._open.popleft()
                batch.failed = batch.failed or bool(batch.left)
                batch.end()
        finally:
            if self._open and self._tick is None:
                self._tick = loop.call_later(TICK_SECONDS, self._poll, loop)


def _settle(future: "asyncio.Future[bool]") -> Callable[[bool], None]:
    def settle(taken: bool) -> None:
        if not future.done():
            future.set_result(taken)

    return settle
