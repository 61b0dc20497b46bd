"""Timers over a store: entries sorted by due time, so that due entries come first.

A key is the due time followed by the profile id. Entries are put and, once due, taken; they are never looked up or
replaced. A profile recognises a superseded entry when it is taken. So a frequent touch need not rewrite an entry, and
one seek finds the first due entry.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import islice
from typing import Final

from pipeline.state import layout
from pipeline.state.store import Change, PartitionStore

DUE_BYTES: Final = 8
NEVER: Final = 1 << 62


class TimerView:
    """The core's :class:`~pipeline.profile.ports.Timers` over a store. The worker takes due entries from it."""

    family = layout.TIMERS

    def __init__(self, store: PartitionStore) -> None:
        self._store = store
        self._added: list[bytes] = []
        """A heap of the keys put since the last commit."""
        self._changed: dict[bytes, bytes | None] = {}
        """Every key put (empty bytes) or taken (None) since the last commit."""
        self._stored_due_ms = 0
        """A lower bound of the due times in the store, entries already taken excepted."""

    def schedule(self, due_ms: int, profile_id: str) -> None:
        """Adds an entry. It is durable once the unit of work commits."""
        key = due_ms.to_bytes(DUE_BYTES) + profile_id.encode()
        if self._changed.get(key) is None:
            self._changed[key] = b""
            heappush(self._added, key)

    def cancel(self, due_ms: int, profile_id: str) -> None:
        """Deletes an entry. It must exist, committed or not."""
        self._changed[due_ms.to_bytes(DUE_BYTES) + profile_id.encode()] = None

    def take(self, until_ms: int, limit: int) -> list[tuple[int, str]]:
        """Removes and returns at most ``limit`` entries due at or before ``until_ms``, the earliest first."""
        keys: list[bytes] = []
        end = max(0, until_ms + 1).to_bytes(DUE_BYTES)  # a replay that has read nothing yet has a negative time
        if self._stored_due_ms <= until_ms:
            keys = self._stored(end, limit)
        while self._added and self._added[0] < end and len(keys) < limit:
            key = heappop(self._added)
            if self._changed.get(key) is not None:
                keys.append(key)
        for key in keys:
            self._changed[key] = None
        return sorted((int.from_bytes(key[:DUE_BYTES]), key[DUE_BYTES:].decode()) for key in keys)

    def _stored(self, end: bytes, limit: int) -> list[bytes]:
        # Not from the first key: RocksDB would step over the tombstones of all entries taken before.
        start = self._stored_due_ms.to_bytes(DUE_BYTES)
        waiting = (key for key, _ in self._store.scan_from(layout.TIMERS, start) if key not in self._changed)
        keys = list(islice(waiting, limit + 1))
        due = [key for key in keys[:limit] if key < end]
        later = keys[len(due) : len(due) + 1]
        self._stored_due_ms = int.from_bytes(later[0][:DUE_BYTES]) if later else NEVER
        return due

    def changes(self) -> Iterator[Change]:
        """Yields the entries put and taken since the last commit."""
        for key, value in self._changed.items():
            yield Change(layout.TIMERS, key, value)

    def committed(self) -> None:
        """Called after the result of :meth:`changes` has become durable."""
        if self._added:
            self._stored_due_ms = min(self._stored_due_ms, int.from_bytes(self._added[0][:DUE_BYTES]))
        self._added, self._changed = [], {}

    def forget(self) -> None:
        """Discards all changes since the last commit: the unit of work was aborted."""
        self._added, self._changed, self._stored_due_ms = [], {}, 0
