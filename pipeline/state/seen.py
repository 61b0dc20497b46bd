"""Message ids seen: exact within the window, in any order of arrival, at one changelog record per commit.

The one idea: a digest is filed under the generation of its *event time* (``timestamp // window``). A duplicate that
carries the same or nearly the same time lies in the same or a neighbouring generation, wherever it stands in the log,
so the answer does not depend on arrival order or on a clock.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from pipeline.state import layout
from pipeline.state.store import Change, PartitionStore

DIGEST_BYTES = 8
GENERATION_BYTES = 4
BLOCKS_EXPIRED_PER_COMMIT = 4
"""More than a commit adds, so that the past shrinks, and few enough that no commit stalls on a whole generation."""


class _Reader(Protocol):
    def get(self, key: bytes) -> bytes | None: ...


class SeenView:
    """The core's :class:`~pipeline.event.ports.SeenIds` over RocksDB.

    Guarantees that of two equal digests whose event times differ by at most the window the second is not new, as long as
    neither is older than two windows before the newest event of the partition (older generations are deleted).
    """

    family = layout.SEEN_BLOCKS

    def __init__(self, store: PartitionStore, window_ms: int) -> None:
        self._store = store
        self._family: _Reader = store.family(layout.SEEN)
        self._window_ms = window_ms
        self._added: dict[int, list[bytes]] = {}
        self._pending: set[bytes] = set()
        self._newest = 0

    def add(self, digest: bytes, timestamp_ms: int) -> bool:
        """Remember an 8-byte digest at its event time. True if it was not there: the event is new."""
        generation = timestamp_ms // self._window_ms
        get, pending = self._family.get, self._pending
        for near in (generation, generation - 1, generation + 1):
            key = _key(near, digest)
            if key in pending or get(key) is not None:
                return False
        pending.add(_key(generation, digest))
        self._added.setdefault(generation, []).append(digest)
        self._newest = max(self._newest, generation)
        return True

    def changes(self) -> Iterator[Change]:
        """One block of digests per generation, and deletions of the blocks of generations long past."""
        for generation, digests in self._added.items():
            prefix = generation.to_bytes(GENERATION_BYTES)
            yield Change(layout.SEEN_BLOCKS, prefix + digests[0], b"".join(digests))
        if self._newest:
            yield from self._expired()

    def _expired(self) -> Iterator[Change]:
        oldest_kept = (self._newest - 2).to_bytes(GENERATION_BYTES)
        for key, _ in islice(self._store.scan(layout.SEEN_BLOCKS), BLOCKS_EXPIRED_PER_COMMIT):
            if key[:GENERATION_BYTES] >= oldest_kept:
                return
            yield Change(layout.SEEN_BLOCKS, key, None)

    def committed(self) -> None:
        """What :meth:`changes` gave is durable."""
        self._added, self._pending = {}, set()

    def forget(self) -> None:
        """The unit of work was aborted."""
        self._added, self._pending = {}, set()


def expand(change: Change, store: PartitionStore) -> Iterator[Change]:
    """The rows in RocksDB that one changelog record stands for: a block of digests becomes a row each.

    The block itself is kept, so that its digests can be deleted with it.
    """
    if change.family != layout.SEEN_BLOCKS:
        yield change
        return
    generation = change.key[:GENERATION_BYTES]
    digests = change.value if change.value is not None else store.get(layout.SEEN_BLOCKS, change.key) or b""
    for at in range(0, len(digests), DIGEST_BYTES):
        row = generation + digests[at : at + DIGEST_BYTES]
        yield Change(layout.SEEN, row, None if change.value is None else b"")
    yield change


def _key(generation: int, digest: bytes) -> bytes:
    return generation.to_bytes(GENERATION_BYTES) + digest
