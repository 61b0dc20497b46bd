"""One file into Kafka, chunk by chunk: read, encode, add, commit with the position, report."""

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
    """The part of a :class:`~connectors.sources.delivery.Delivery` that ingesting uses."""

    def add(self, record: Outgoing) -> None:
        """Hand over a record of the open chunk."""
        ...

    def commit(self, position: Position) -> None:
        """Make the chunk and the position durable, both or neither."""
        ...


class Totals(msgspec.Struct):
    """What became of the records read in this run."""

    delivered: int = 0
    rejected: Counter[Reason] = msgspec.field(default_factory=Counter)
    unchanged: int = 0
    """Records of a changed file that its earlier state has delivered."""

    @property
    def rejects(self) -> int:
        """Records that are no events."""
        return self.rejected.total()


class Report(Protocol):
    """Who is told what becomes of the file."""

    def rejected(self, record: Record, why: Rejected) -> None:
        """A record of the open chunk is no event."""
        ...

    def about_to_commit(self) -> None:
        """Make durable what was rejected: after a crash a reject may be told again, but never not at all."""
        ...

    def committed(self, position: Position, totals: Totals) -> None:
        """Everything up to the position is dealt with."""
        ...


class Ingest:
    """Carries one file. ``file_name`` is part of the message ids made for events that bring none."""

    def __init__(
        self,
        encode: EventEncoder,
        sending: Sending,
        file_name: str,
        report: Report,
        earlier: Counter[bytes] | None = None,
    ) -> None:
        """``earlier``: digests of records that are not delivered again, each as often as it is there."""
        self.totals = Totals()
        self._encode = encode
        self._sending = sending
        self._file_name = file_name.removesuffix(".gz")
        self._report = report
        self._earlier = earlier or Counter()

    def run(self, source: Source, start: Position, stop: Callable[[], bool]) -> None:
        """Everything after ``start``, or up to where ``stop`` said so; then what was read is committed.

        Raises:
            DeliveryError: the current chunk was not delivered; the ones before it were.
            MissingColumnsError: the mapping does not fit the file.
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
        """Encode and add one record; the bytes it adds to the chunk."""
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
