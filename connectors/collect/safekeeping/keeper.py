"""Keeps records safe: in Kafka, or in the spool while Kafka is away. Drains the spool by itself.

While the spool holds records, new ones go behind them, so that Kafka gets all in the order of their acknowledgement.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol, TypeAlias

from connectors.collect.encode import Outgoing
from connectors.collect.safekeeping.spool import Spool, SpoolFullError
from pipeline.obs import metrics as m
from pipeline.obs.log import logger
from pipeline.obs.metrics import Metrics

CHUNK_RECORDS: Final = 500
FIRST_PAUSE_SECONDS: Final = 0.25
MAX_PAUSE_SECONDS: Final = 5.0

Kept: TypeAlias = Callable[[SpoolFullError | None], None]
"""Called with None once records are safe, or with the reason why they are not."""

log = logger(__name__)


class Line(Protocol):
    """The methods of :class:`~connectors.collect.safekeeping.kafka_line.KafkaLine` that a keeper uses."""

    def send_then(self, records: Sequence[Outgoing], done: Callable[[bool], None]) -> None:
        """Calls ``done`` with whether the brokers certainly have every record."""
        ...

    async def send(self, records: Sequence[Outgoing]) -> bool:
        """Returns whether the brokers certainly have every record."""
        ...

    async def send_one(self, record: Outgoing) -> bool | None:
        """Returns as :meth:`send`, or None if the record is refused for good."""
        ...

    def give_up_queued(self) -> None:
        """Gives up what is queued."""
        ...


class Keeper:
    """Decides where records go."""

    def __init__(
        self, line: Line, spool: Spool, metrics: Metrics, prepare: Callable[[], Awaitable[None]], *, away: bool
    ) -> None:
        """``prepare`` is awaited before the first record is sent and after an outage; it raises while Kafka is away.

        ``away``: Kafka did not answer when the collector started.
        """
        self._line, self._spool, self._metrics, self._prepare = line, spool, metrics, prepare
        self._draining: asyncio.Task[None] | None = None
        self._spooling: set[asyncio.Task[None]] = set()
        metrics.set(m.COLLECT_SPOOL_BYTES, spool.size_bytes)
        if away or not spool.is_empty:
            self._start_draining()

    @property
    def is_spooling(self) -> bool:
        """Returns whether records go to the spool."""
        return self._draining is not None

    def keep(self, records: Sequence[Outgoing], done: Kept) -> None:
        """Calls ``done`` with None once the records are in Kafka or durable in the spool.

        Calls it with SpoolFullError if they are in neither for certain.
        """
        if self._draining is None:
            self._line.send_then(records, partial(self._sent, records, done))
        else:
            self._spool_soon(records, done)

    def _sent(self, records: Sequence[Outgoing], done: Kept, taken: bool) -> None:
        if taken:
            done(None)
            return
        if self._draining is None:
            log.warning("kafka_away", spool_bytes=self._spool.size_bytes)
            self._line.give_up_queued()
            self._start_draining()
        self._spool_soon(records, done)

    def _spool_soon(self, records: Sequence[Outgoing], done: Kept) -> None:
        """Spools records behind those of earlier calls: tasks begin in the order in which they are created."""
        spooling = asyncio.get_running_loop().create_task(self._spooled(records, done))
        self._spooling.add(spooling)
        spooling.add_done_callback(self._spooling.discard)

    async def _spooled(self, records: Sequence[Outgoing], done: Kept) -> None:
        try:
            await self._spool.append(list(records))
        except SpoolFullError as error:
            done(error)
            return
        self._metrics.add(m.COLLECT_SPOOLED, len(records))
        self._metrics.set(m.COLLECT_SPOOL_BYTES, self._spool.size_bytes)
        done(None)

    async def close(self) -> None:
        """Stops draining. What is in the spool stays there for the next start."""
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.gather(self._draining, return_exceptions=True)
        await asyncio.gather(*self._spooling)
        await self._spool.close()

    def _start_draining(self) -> None:
        self._draining = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        """Sends the spool's records until none is left, repeating with growing pauses while Kafka is away."""
        pause = FIRST_PAUSE_SECONDS
        prepared = False
        while True:
            try:
                if not prepared:
                    await self._prepare()
                    prepared = True
                if await self._drain_chunk():
                    pause = FIRST_PAUSE_SECONDS
                    if self._spool.is_empty:
                        break
                    continue
            except Exception as error:  # noqa: BLE001  whatever it is, the records stay and the next attempt may succeed
                log.warning("spool_not_drained", error=str(error), error_type=type(error).__name__)
                prepared = False
            self._line.give_up_queued()
            await asyncio.sleep(pause)
            pause = min(MAX_PAUSE_SECONDS, pause * 2)
        self._draining = None
        log.info("kafka_back", spool_bytes=self._spool.size_bytes)

    async def _drain_chunk(self) -> bool:
        """Sends the oldest records. Returns whether Kafka has them."""
        chunk = self._spool.peek(CHUNK_RECORDS)
        if not chunk:
            await asyncio.sleep(FIRST_PAUSE_SECONDS if not self._spool.is_empty else 0)
            return True
        if not await self._line.send([record for record, _ in chunk]) and not await self._one_by_one(chunk):
            return False
        self._spool.delivered(chunk[-1][1])
        self._metrics.add(m.COLLECT_DRAINED, len(chunk))
        self._metrics.set(m.COLLECT_SPOOL_BYTES, self._spool.size_bytes)
        return True

    async def _one_by_one(self, chunk: list[tuple[Outgoing, int]]) -> bool:
        """Sends each record alone, and sets aside those that Kafka refuses for good. Returns whether all is done."""
        for record, _ in chunk:
            taken = await self._line.send_one(record)
            if taken is None:
                self._spool.set_aside(record)
                self._metrics.add(m.COLLECT_REFUSED, 1)
                log.error("record_refused", topic=record.topic, value_bytes=len(record.value))
            elif not taken:
                return False
        return True
