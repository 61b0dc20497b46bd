"""Rows that wait for their turn, over a store: a queue in the order of its keys.

Rows are put and, once their turn has come, taken; they are never looked up or replaced. A row that is put and taken
within one unit of work writes nothing.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import islice
from typing import Final

from pipeline.state.store import Change, PartitionStore

Item = tuple[bytes, bytes]
"""The key of a row and its body."""
PAGE: Final = 256
"""Stored rows that one seek reads."""


class OrderedBuffer:
    """A queue of one column family. Keys must be unique and not empty; their order is the order of the queue."""

    def __init__(self, family: str, store: PartitionStore) -> None:
        self.family, self._store = family, store
        self._bodies: dict[bytes, bytes] = {}
        """Rows put and not taken since the last commit."""
        self._added: list[bytes] = []
        """A heap of their keys."""
        self._taken: set[bytes] = set()
        """Keys of stored rows that were taken since the last commit."""
        self._page: list[Item] = []
        """The next stored rows, the first one last."""
        self._behind: bytes | None = b""
        """The key from which on the store was not read yet. None: there are no further stored rows."""
        self._stored: int | None = None
        """The number of stored rows; None if it was not needed yet."""

    def put(self, key: bytes, body: bytes) -> None:
        """Adds a row. It is durable once the unit of work commits."""
        if key not in self._bodies:
            heappush(self._added, key)
        self._bodies[key] = body

    def count(self) -> int:
        """Returns the number of rows. The first call reads every stored row, later ones none."""
        if self._stored is None:
            self._stored = sum(1 for _ in self._store.scan(self.family))
        return self._stored + len(self._bodies) - len(self._taken)

    def first(self) -> bytes | None:
        """Returns the key of the first row; None if there is none."""
        stored = self._next_stored()
        if not self._added:
            return None if stored is None else stored[0]
        return self._added[0] if stored is None or self._added[0] < stored[0] else stored[0]

    def take(self, end: bytes, limit: int) -> list[Item]:
        """Removes and returns at most ``limit`` rows with keys below ``end``, in order."""
        items: list[Item] = []
        added = self._added
        while len(items) < limit:
            stored = self._next_stored()
            if added and (stored is None or added[0] < stored[0]):
                if added[0] >= end:
                    break
                key = heappop(added)
                items.append((key, self._bodies.pop(key)))
            elif stored is not None and stored[0] < end:
                self._page.pop()
                self._taken.add(stored[0])
                items.append(stored)
            else:
                break
        return items

    def _next_stored(self) -> Item | None:
        if not self._page:
            if self._behind is None:
                return None
            self._read_page()
        return self._page[-1] if self._page else None

    def _read_page(self) -> None:
        # From where the last page ended, not from the first key: RocksDB would step over the tombstones of taken rows.
        rows = self._store.scan_from(self.family, self._behind or b"")
        page = list(islice((row for row in rows if row[0] not in self._taken), PAGE))
        self._behind = page[-1][0] + b"\0" if len(page) == PAGE else None
        self._page = page[::-1]

    def changes(self) -> Iterator[Change]:
        """Yields the rows put and not taken, and deletions of the stored rows that were taken."""
        for key, body in self._bodies.items():
            yield Change(self.family, key, body)
        for key in self._taken:
            yield Change(self.family, key, None)

    def committed(self) -> None:
        """Called after the result of :meth:`changes` has become durable."""
        if self._added and (self._behind is None or self._added[0] < self._behind):
            ahead = self._page[-1][0] if self._page else self._added[0]  # rows stored since lie before or in the page
            self._page, self._behind = [], min(ahead, self._added[0])
        if self._stored is not None:
            self._stored += len(self._bodies) - len(self._taken)
        self._bodies, self._added, self._taken = {}, [], set()

    def forget(self) -> None:
        """Discards all changes since the last commit: the unit of work was aborted."""
        self._bodies, self._added, self._taken = {}, [], set()
        self._page, self._behind = [], b""
