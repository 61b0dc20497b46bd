"""Timers over a store: entries by due time, so that what is due lies at the front.

The one idea: a key is the due time, then the profile id. An entry is never looked up, only put, and taken when its time
has come; one that was superseded is recognised by its profile then. So a profile that is touched often costs no entry
each time, and the front is found with one seek.
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
    """The core's :class:`~pipeline.profile.ports.Timers`, and the shell's way to what is due."""

    family = layout.TIMERS

    def __init__(self, store: PartitionStore) -> None:
        self._store = store
        self._added: list[bytes] = []
        """A heap of the keys put since the last commit."""
        self._changed: dict[bytes, bytes | None] = {}
        self._stored_due_ms = 0
        """No entry in the store is due before this moment, but for those taken already."""

    def schedule(self, due_ms: int, profile_id: str) -> None:
        """Put an entry; it is durable once the unit of work commits."""
        key = due_ms.to_bytes(DUE_BYTES) + profile_id.encode()
        if self._changed.get(key) is None:
            self._changed[key] = b""
            heappush(self._added, key)

    def take(self, until_ms: int, limit: int) -> list[tuple[int, str]]:
        """The entries due up to a moment, ``most`` of them at most, the earliest first; each is handed out once."""
        keys: list[bytes] = []
        end = max(0, until_ms + 1).to_bytes(DUE_BYTES)  # a replay that has read nothing yet is before all time
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
        start = self._stored_due_ms.to_bytes(DUE_BYTES)  # not the front: it is full of what was taken and deleted
        waiting = (key for key, _ in self._store.scan_from(layout.TIMERS, start) if key not in self._changed)
        keys = list(islice(waiting, limit + 1))
        due = [key for key in keys[:limit] if key < end]
        later = keys[len(due) : len(due) + 1]
        self._stored_due_ms = int.from_bytes(later[0][:DUE_BYTES]) if later else NEVER
        return due

    def changes(self) -> Iterator[Change]:
        """Entries put and taken since the last commit."""
        for key, value in self._changed.items():
            yield Change(layout.TIMERS, key, value)

    def committed(self) -> None:
        """What :meth:`changes` gave is durable."""
        if self._added:
            self._stored_due_ms = min(self._stored_due_ms, int.from_bytes(self._added[0][:DUE_BYTES]))
        self._added, self._changed = [], {}

    def forget(self) -> None:
        """The unit of work was aborted."""
        self._added, self._changed, self._stored_due_ms = [], {}, 0
