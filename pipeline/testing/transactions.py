"""Transactions and partitions in memory, with markers and last stable offsets as in Kafka's brokers."""

from collections.abc import Iterator
from typing import Protocol

from pipeline.kafka.record import Header
from pipeline.testing.log import MemoryRecord


class Marked(Protocol):
    """A partition or group that a transaction wrote to. Its own marker brings it the outcome."""

    def mark(self, transaction: "Transaction") -> None:
        """Applies the outcome to the transaction's writes here."""
        ...


class Transaction:
    """One transaction at its coordinator: open, then decided, then marked in every place it wrote to."""

    __slots__ = ("committed", "decided", "epoch", "transactional_id", "unmarked")

    def __init__(self, transactional_id: str, epoch: int) -> None:
        self.transactional_id, self.epoch = transactional_id, epoch
        self.decided = self.committed = False
        self.unmarked: dict[Marked, None] = {}
        """Places without a marker, in the order of the first write."""

    def mark(self, place: Marked) -> None:
        """Writes the marker in one place. The transaction must be decided."""
        del self.unmarked[place]
        place.mark(self)

    def mark_everywhere(self) -> None:
        """Writes the missing markers."""
        for place in list(self.unmarked):
            self.mark(place)


class MemoryPartition:
    """A partition's log. A marker takes an offset that no reader receives."""

    def __init__(self, topic: str, number: int) -> None:
        self.topic, self.number = topic, number
        self._records: list[MemoryRecord | None] = []
        """Records by offset; None is a marker."""
        self._written_by: list[Transaction | None] = []
        self.unstable: dict[Transaction, int] = {}
        """Transactions without a marker here → the offset of their first record."""

    @property
    def end(self) -> int:
        """Returns the high watermark, open transactions included."""
        return len(self._records)

    @property
    def stable_end(self) -> int:
        """Returns the last stable offset, the end for read-committed consumers."""
        return min(self.unstable.values()) if self.unstable else len(self._records)

    def append(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: list[Header] | None = None,
        transaction: Transaction | None = None,
    ) -> MemoryRecord:
        """Appends a record, inside ``transaction`` or without one."""
        offset = len(self._records)
        if transaction is not None:
            self.unstable.setdefault(transaction, offset)
            transaction.unmarked.setdefault(self)
        record = MemoryRecord(self.topic, offset, key, value, headers, partition=self.number)
        self._records.append(record)
        self._written_by.append(transaction)
        return record

    def mark(self, transaction: Transaction) -> None:
        """Appends the marker that ends the transaction here."""
        del self.unstable[transaction]
        self._records.append(None)
        self._written_by.append(transaction)

    def committed(self, start: int, limit: int) -> tuple[list[MemoryRecord], int]:
        """Returns at most ``limit`` committed records from ``start`` on, and the position after them."""
        records: list[MemoryRecord] = []
        stable_end, at = self.stable_end, start
        while at < stable_end and len(records) < limit:
            record, writer = self._records[at], self._written_by[at]
            if record is not None and (writer is None or writer.committed):
                records.append(record)
            at += 1
        return records, at

    def all_committed(self) -> Iterator[MemoryRecord]:
        """Yields every record that a read-committed consumer receives."""
        return iter(self.committed(0, len(self._records))[0])
