"""Writes one file to Kafka in chunks: reads, encodes, adds, commits with the position, reports."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

import msgspec

from connectors.sources.choose import derived_message_id
from connectors.sources.identity import digest_of
from connectors.sources.outgoing import EventEncoder, Outgoing
from connectors.sources.record import Position, Record, Source
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected

CHUNK_RECORDS = 5_000
CHUNK_BYTES = 16 << 20
CHUNK_SECONDS = 2.0


class Sending(Protocol):
    """The methods of :class:`~connectors.sources.delivery.Delivery` that ingesting uses."""

    def add(self, record: Outgoing) -> None:
        """Adds a record to the open chunk."""
        ...

    def commit(self, position: Position) -> None:
        """Makes the chunk and the position durable, both or neither."""
        ...


class Totals(msgspec.Struct):
    """Counts of the records read in this run, by outcome."""

    delivered: int = 0
    rejected: Counter[Reason] = msgspec.field(default_factory=Counter)
    unchanged: int = 0
    """Records that were delivered from an earlier version of a changed file."""

    @property
    def rejects(self) -> int:
        """Returns the number of rejected records."""
        return self.rejected.total()


class Report(Protocol):
    """Receives rejects and progress."""

    def rejected(self, record: Record, why: Rejected) -> None:
        """Reports a rejected record of the open chunk."""
        ...

    def about_to_commit(self) -> None:
        """Makes reported rejects durable. After a crash a reject may be reported twice, but never not at all."""
        ...

    def committed(self, position: Position, totals: Totals) -> None:
        """Reports the committed position and the totals."""
        ...


class Ingest:
    """Ingests one file. ``file_name`` is part of the message ids derived for events without one."""

    def __init__(
        self,
        encode: EventEncoder,
        sending: Sending,
        file_name: str,
        report: Report,
        earlier: Counter[bytes] | None = None,
    ) -> None:
        """``earlier`` counts digests of records to skip; each is skipped as often as it is counted."""
        self.totals = Totals()
        self._encode = encode
        self._sending = sending
        self._file_name = file_name.removesuffix(".gz")
        self._report = report
        self._earlier = earlier or Counter()

    def run(self, source: Source, start: Position, stop: Callable[[], bool]) -> None:
        """Ingests every record after ``start``. Returns after a committed chunk if ``stop`` returns True.

        Raises:
            DeliveryError: The current chunk is not delivered; earlier chunks are.
            MissingColumnsError: The file lacks a column that the mapping names.
        """
        position, records, size, began = start, 0, 0, time.monotonic()
        for record in source.records(start):
            size += self._take(record)
            position, records = record.after, records + 1
            if records >= CHUNK_RECORDS or size >= CHUNK_BYTES or time.monotonic() - began >= CHUNK_SECONDS:
                self._commit(position)
                records, size, began = 0, 0, time.monotonic()
                if stop():
                    return
        if records:
            self._commit(position)

    def _take(self, record: Record) -> int:
        """Encodes and adds one record. Returns the bytes it adds to the chunk."""
        if self._earlier and self._was_delivered(record):
            self.totals.unchanged += 1
            return 0
        payload = record.payload
        if not isinstance(payload, Rejected):
            known = payload.get("messageId")
            made = "" if known else derived_message_id(self._file_name, record.number, record.raw)
            outgoing = self._encode(payload, made)
            if isinstance(outgoing, Outgoing):
                self._sending.add(outgoing)
                self.totals.delivered += 1
                return len(outgoing.value)
            payload = outgoing
        self._report.rejected(record, payload)
        self.totals.rejected[payload.reason] += 1
        return len(record.raw)

    def _was_delivered(self, record: Record) -> bool:
        digest = digest_of(record)
        known = self._earlier[digest] > 0
        if known:
            self._earlier[digest] -= 1
        return known

    def _commit(self, position: Position) -> None:
        self._report.about_to_commit()
        self._sending.commit(position)
        self._report.committed(position, self.totals)
