"""The writer: follows the topics and commits rows and offsets together, so that a restart resumes exactly.

One step:

1. Take the records that have arrived.
2. Apply them, store the next offsets and the progress, in one database transaction.

Processes that only read learn lag and freshness from the stored progress.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from confluent_kafka import KafkaException
from sqlalchemy import Connection, select

from pipeline.clock import Clock
from pipeline.errors import OperatorError
from pipeline.kafka.follow import Place
from pipeline.kafka.retry import NO_BROKER_CODES
from pipeline.obs.log import logger
from pipeline.serve.model import facts, tables
from pipeline.serve.model.fold import Fold
from pipeline.serve.model.kinds.kind import FollowedRecord

POLL_SECONDS: Final = 0.1
HEARTBEAT_SECONDS: Final = 1.0
"""How often the progress is stored while no record arrives."""
DELAY_WINDOW_SECONDS: Final = 10.0
"""The progress holds the largest delay of so many seconds."""

log = logger(__name__)


class TopicsChangedError(OperatorError):
    """The topics are not those that the database was built from: they were deleted and created again.

    Operator action: run ``stitchline serve --rebuild``.
    """


class Following(Protocol):
    """The part of :class:`~pipeline.kafka.follow.Follower` that the writer uses."""

    reached: dict[Place, int]

    def poll(self, seconds: float) -> Sequence[FollowedRecord]:
        """Returns the records that arrive within ``seconds``."""
        ...

    def waiting(self) -> int:
        """Returns the number of records that were not returned yet."""
        ...


class Writer:
    """Applies what a follower returns. ``connection`` is the one of :func:`~.writer_lock.writer_connection`."""

    def __init__(self, connection: Connection, fold: Fold, following: Following, clock: Clock) -> None:
        self._connection, self._fold, self._following, self._clock = connection, fold, following, clock
        with connection.begin():
            self._stored = positions(connection)
            self._caught_up_ms = facts.progress(connection).caught_up_ms
        self._heartbeat_at = 0.0
        self._applied = 0
        self._delays: deque[tuple[float, int]] = deque()
        """Times and delays in ms of the newest commits."""
        self._skipped: dict[str, int] = {}
        self._kafka_away = False

    def run(self, stopped: Callable[[], bool]) -> None:
        """Runs steps until ``stopped`` returns True.

        Raises:
            TopicsChangedError: a topic was deleted and created again.
            KafkaException: the brokers refused. Brokers that do not answer are waited for.
        """
        while not stopped():
            self.step(POLL_SECONDS)

    def step(self, seconds: float) -> None:
        """Takes and applies the records that arrive within ``seconds``."""
        records = self._poll(seconds)  # 1
        moved = {place: at for place, at in self._following.reached.items() if self._stored.get(place) != at}
        now = time.monotonic()
        if not moved and now < self._heartbeat_at:
            return
        self._refuse_other_topics(moved)
        lag = self._following.waiting()
        if lag == 0:
            self._caught_up_ms = self._clock()
        with self._connection.begin():  # 2
            # Before the first catch-up every record is old news: subscribers read everything again.
            self._fold.apply(self._connection, records, into_feed=self._caught_up_ms > 0)
            self._fold.set_positions(self._connection, moved)
            facts.set_progress(self._connection, self._progress(lag, records, now))
        self._stored |= moved
        self._heartbeat_at = now + HEARTBEAT_SECONDS
        self._report_skipped()

    def _poll(self, seconds: float) -> Sequence[FollowedRecord]:
        try:
            records = self._following.poll(seconds)
        except KafkaException as error:
            if error.args[0].code() not in NO_BROKER_CODES:
                raise
            if not self._kafka_away:
                log.warning("serve_kafka_away", error=str(error))
            self._kafka_away = True
            return []
        if records and self._kafka_away:
            self._kafka_away = False
            log.info("serve_kafka_back")
        return records

    def _refuse_other_topics(self, moved: dict[Place, int]) -> None:
        for place, at in moved.items():
            if at < self._stored.get(place, 0):
                message = (
                    f"partition {place[1]} of {place[0]} ends before offset {self._stored[place]}, up to which it was "
                    "read: the topic was created again; run: stitchline serve --rebuild"
                )
                raise TopicsChangedError(message)

    def _progress(self, lag: int, records: Sequence[FollowedRecord], now: float) -> facts.Progress:
        """Returns the progress with this commit."""
        now_ms = self._clock()
        oldest_ms = min((stamp for kind, stamp in (record.timestamp() for record in records) if kind), default=0)
        if oldest_ms:
            self._delays.append((now, max(0, now_ms - oldest_ms)))
        while self._delays and self._delays[0][0] < now - DELAY_WINDOW_SECONDS:
            self._delays.popleft()
        self._applied += len(records)
        return facts.Progress(
            written_ms=now_ms,
            lag_records=lag,
            caught_up_ms=self._caught_up_ms,
            delay_ms=max((delay for _, delay in self._delays), default=0),
            applied=self._applied,
            skipped=self._fold.skipped.by_topic(),
        )

    def _report_skipped(self) -> None:
        for topic, count in self._fold.skipped.records.items():
            new = count - self._skipped.get(topic, 0)
            if new:
                log.warning("serve_records_skipped", topic=topic, records=new)
        self._skipped = dict(self._fold.skipped.records)


def positions(connection: Connection) -> dict[Place, int]:
    """Returns the stored next offset of each partition."""
    rows = connection.execute(select(tables.offsets.c.topic, tables.offsets.c.partition, tables.offsets.c.next_offset))
    return {(topic, partition): offset for topic, partition, offset in rows}
