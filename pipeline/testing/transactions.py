"""What transactions leave in memory: partitions with markers and a last stable offset, as Kafka's brokers keep them."""

from collections.abc import Iterator
from typing import Protocol

from pipeline.kafka.record import Header
from pipeline.testing.log import MemoryRecord


class Marked(Protocol):
    """Something a transaction wrote to, which learns of the outcome by a marker of its own, in its own time."""

    def mark(self, transaction: "Transaction") -> None:
        """The outcome has arrived: what the transaction left here counts, or never will."""
        ...


class Transaction:
    """One transaction at its coordinator: open, then decided, then marked wherever it wrote to."""

    __slots__ = ("committed", "decided", "epoch", "transactional_id", "unmarked")

    def __init__(self, transactional_id: str, epoch: int) -> None:
        self.transactional_id, self.epoch = transactional_id, epoch
        self.decided = self.committed = False
        self.unmarked: dict[Marked, None] = {}
        """Where it wrote to and no marker is yet, in the order of the first write."""

    def mark(self, place: Marked) -> None:
        """Write the marker at one place; the transaction must be decided."""
        del self.unmarked[place]
        place.mark(self)

    def mark_everywhere(self) -> None:
        """Write the markers that are missing."""
        for place in list(self.unmarked):
            self.mark(place)


class MemoryPartition:
    """A partition's log. A marker takes an offset, and so hides behind the records a reader sees."""

    def __init__(self, topic: str, number: int) -> None:
        self.topic, self.number = topic, number
        self._records: list[MemoryRecord | None] = []
        """None is a marker."""
        self._written_by: list[Transaction | None] = []
        self.unstable: dict[Transaction, int] = {}
        """Transactions without a marker here, with the offset of their first record."""

    @property
    def end(self) -> int:
        """The high watermark: open transactions included."""
        return len(self._records)

    @property
    def stable_end(self) -> int:
        """The last stable offset: nobody who reads what is committed gets further."""
        return min(self.unstable.values()) if self.unstable else len(self._records)

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: list[Header] | None = None,
        transaction: Transaction | None = None,
    ) -> MemoryRecord:
        """Write a record, as part of a transaction or for good."""
        offset = len(self._records)
        if transaction is not None:
            self.unstable.setdefault(transaction, offset)
            transaction.unmarked.setdefault(self)
        record = MemoryRecord(self.topic, offset, key, value, headers, partition=self.number)
        self._records.append(record)
        self._written_by.append(transaction)
        return record

    def mark(self, transaction: Transaction) -> None:
        """Write the marker that ends the transaction here."""
        del self.unstable[transaction]
        self._records.append(None)
        self._written_by.append(transaction)

    def committed(self, start: int, limit: int) -> tuple[list[MemoryRecord], int]:
        """At most so many committed records from an offset on, and the position behind what was looked at."""
        records: list[MemoryRecord] = []
        stable_end, at = self.stable_end, start
        while at < stable_end and len(records) < limit:
            record, writer = self._records[at], self._written_by[at]
            if record is not None and (writer is None or writer.committed):
                records.append(record)
            at += 1
        return records, at

    def all_committed(self) -> Iterator[MemoryRecord]:
        """Every record a reader of what is committed sees."""
        return iter(self.committed(0, len(self._records))[0])
