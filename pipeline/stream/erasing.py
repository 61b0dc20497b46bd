"""Erases customers from one partition of a stage: takes in marks, sweeps the rows, compacts the files, writes receipts.

1. A mark that is read is stored. From then on the stage's core ignores what is older, and cleans rows that it reads.
2. Once the mark is committed, a sweep reads all rows, a page per tick, and cleans those that hold erased identifiers.
   It serves all erasures that were known when it began.
3. Once the last page is committed, RocksDB compacts the families, so that deleted rows leave the files.
4. A receipt is written, in the transaction that ends the sweep.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, Generic, TypeAlias, TypeVar

import msgspec

from pipeline.event.erasure import Marking, Marks
from pipeline.event.ports import Table
from pipeline.kafka.record import Record
from pipeline.state.marks import MarksView, Receipt, Sweep
from pipeline.state.store import PartitionStore
from pipeline.stream.stages.base import Context
from pipeline.topics import RECEIPTS, StageName

KEY_PREFIX: Final = b"\0mark/"
"""Begins the key of a marking between records of another kind."""
PAGE_ROWS: Final = 500
"""Rows per tick, so that a sweep does not delay a commit."""

Row = TypeVar("Row")
Mentions: TypeAlias = Callable[[bytes, bytes], bool]
"""Returns whether a row, by key and value, holds what is to be erased."""
Clean: TypeAlias = Callable[[str, Sequence[bytes]], None]
"""Cleans rows of a family, by their keys."""


encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Marking).decode


def key_of_marking(marking: Marking) -> bytes:
    """Returns the key of a marking between records of another kind."""
    return KEY_PREFIX + f"{marking.tenant}/{marking.request}".encode()


def is_marking(record: Record) -> bool:
    """Returns whether a record between others is a marking."""
    return (record.key() or b"").startswith(KEY_PREFIX)


class CleanedTable(Generic[Row]):
    """A table whose rows are cleaned when they are read, as long as there are erasures that are not swept."""

    def __init__(self, rows: Table[Row], unswept: Marks, clean: Callable[[str, Row], Row | None]) -> None:
        """``clean`` returns the row without what was erased: the row itself, another one, or None."""
        self._rows, self._unswept, self._clean = rows, unswept, clean
        self._get, self.put, self.delete = rows.get, rows.put, rows.delete

    def get(self, key: str) -> Row | None:
        """Returns the row as last put, without what was erased since."""
        row = self._get(key)
        if row is None or not self._unswept:
            return row
        cleaned = self._clean(key, row)
        if cleaned is None:
            self._rows.delete(key)
        elif cleaned is not row:
            self._rows.put(key, cleaned)
        return cleaned


class Eraser:
    """The erasures of one partition of a stage."""

    def __init__(
        self,
        context: Context,
        place: tuple[StageName, int],
        store: PartitionStore,
        mentions: Mapping[str, Mentions],
        clean: Clean,
        *,
        sources: int = 1,
    ) -> None:
        """``place`` is the stage and the partition. ``mentions`` names the families to sweep.

        ``sources``: how often each mark is received.
        """
        self._context, self._store = context, store
        self._stage, self._partition = place
        self._mentions, self._clean, self._sources = mentions, clean, sources
        self.view = MarksView(store)
        self._families = list(mentions)
        self._covered: dict[str, int] = {}
        """The requests that the current pass serves, with the number of their sources when it began."""
        self._family, self._start = 0, b""
        """Where the next page begins."""
        self._is_reclaimed: Callable[[], bool] | None = None

    def take_in(self, batch: Iterable[Record]) -> list[Marking]:
        """Stores the markings among the records of a batch, and returns them."""
        # is_marking, without a call for each
        marked = [record for record in batch if (record.key() or b"").startswith(KEY_PREFIX)]
        markings = [_decode(record.value() or b"") for record in marked]
        for marking in markings:
            self.note(marking)
        return markings

    def note(self, marking: Marking) -> None:
        """Stores a marking. Sends the receipt of one that needs no sweep at once."""
        self.view.note(marking)
        self._is_reclaimed = None
        if marking.kind != "erase":
            self._send_receipt(Sweep(marking, []))

    @property
    def has_work(self) -> bool:
        """Returns whether a sweep is under way."""
        return bool(self.view.sweeps)

    def tick(self) -> int:
        """Takes the next step. Returns 0 if there is nothing to commit."""
        sweeps = self.view.sweeps.values()
        if self._covered or not all(sweep.is_swept for sweep in sweeps):
            return self._read_page()
        complete = [sweep for sweep in sweeps if len(sweep.sources) >= self._sources]
        if not complete or not self.view.is_durable:
            return 0
        if self._is_reclaimed is None:
            self._is_reclaimed = self._store.reclaim([*self._families, self.view.family])
        if not self._is_reclaimed():
            return 0
        self._is_reclaimed = None
        for sweep in complete:
            self.view.end(sweep.marking.request)
            self._send_receipt(sweep)
        return len(complete)

    def _read_page(self) -> int:
        """Cleans the next rows. Returns how many were read, at least 1; 0 if a pass cannot begin yet."""
        if not self._covered:
            if not self.view.is_durable:  # rows that were written before the mark are not in the store yet
                return 0
            sweeps = self.view.sweeps.items()
            self._covered = {request: len(sweep.sources) for request, sweep in sweeps if not sweep.is_swept}
            self._family, self._start = 0, b""
        family = self._families[self._family]
        rows = list(islice(self._store.scan_from(family, self._start), PAGE_ROWS))
        keys = [key for key, value in rows if self._mentions[family](key, value)]
        if keys:
            self._clean(family, keys)
        for request in self._covered:
            sweep = self.view.sweeps[request]
            sweep.rows_read += len(rows)
            sweep.rows_changed += len(keys)
        if len(rows) == PAGE_ROWS:
            self._start = rows[-1][0] + b"\0"
        else:
            self._family, self._start = self._family + 1, b""
        if self._family == len(self._families):
            self._end_pass()
        return max(1, len(rows))

    def _end_pass(self) -> None:
        for request, sources in self._covered.items():
            sweep = self.view.sweeps[request]
            if len(sweep.sources) == sources:  # a mark that was received again during the pass needs another one
                sweep.is_swept = True
                self.view.put(sweep)
        self._covered = {}

    def _send_receipt(self, sweep: Sweep) -> None:
        marking = sweep.marking
        receipt = Receipt(
            marking.tenant, marking.request, self._stage, self._partition, sweep.rows_read, sweep.rows_changed,
            self._context.clock(),
        )  # fmt: skip
        key = f"{marking.tenant}/{marking.request}/{self._stage}/{self._partition}"
        self._context.emit(RECEIPTS, key, encode(receipt))
