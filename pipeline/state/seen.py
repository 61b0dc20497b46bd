"""Message ids seen: exact within the window, in any order of arrival, at one changelog record per commit.

The one idea: a digest is filed under the generation of its *event time*, two windows long. A duplicate whose time is
within the window of the first lies in the same generation or in the nearer neighbour, wherever it stands in the log, so
the answer does not depend on arrival order or on a clock, and costs two look-ups at most.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol

from pipeline.state import layout
from pipeline.state.store import Change, PartitionStore, Row

DIGEST_BYTES = 8
GENERATION_BYTES = 4
FIRST_GENERATION, LAST_GENERATION = 1, (1 << 8 * GENERATION_BYTES) - 2
"""Times before the first and behind the last are filed with them: a replay may begin before 1970."""
MIN_WINDOW_MS = 1000
"""A shorter window is taken for this one, so that the generations of today fit their bytes."""
BLOCKS_EXPIRED_PER_COMMIT = 4
"""More than a commit adds, so that the past shrinks, and few enough that no commit stalls on a whole generation."""


class _Readable(Protocol):
    def get(self, key: bytes) -> bytes | None: ...


class SeenView:
    """The core's :class:`~pipeline.event.ports.SeenIds` over RocksDB.

    Guarantees that of two equal digests whose event times differ by at most the window the second is not new, however
    late it comes, as long as neither is older than the memory before the newest event of the partition (older
    generations are deleted). A window of 0 remembers nothing.
    """

    family = layout.SEEN_BLOCKS

    def __init__(self, store: PartitionStore, window_ms: int, memory_ms: int) -> None:
        self._store = store
        self._family: _Readable = store.family(layout.SEEN)
        self._window_ms = max(window_ms, MIN_WINDOW_MS) if window_ms else 0
        self._kept = 1 + -(-memory_ms // (2 * self._window_ms)) if self._window_ms else 0
        """Generations kept behind the newest: that of the memory's end and all up to it."""
        self._added: dict[int, list[bytes]] = {}
        self._pending: set[bytes] = set()
        self._newest = 0
        self._generations = _generations_in(store)
        """Those that hold anything: a neighbour without digests is not asked."""

    def add(self, digest: bytes, timestamp_ms: int) -> bool:
        """Remember an 8-byte digest at its event time. True if it was not there: the event is new."""
        if not self._window_ms:
            return True
        generation, into_ms = divmod(timestamp_ms, 2 * self._window_ms)
        if not FIRST_GENERATION <= generation <= LAST_GENERATION:
            generation = FIRST_GENERATION if generation < FIRST_GENERATION else LAST_GENERATION
        key = generation.to_bytes(GENERATION_BYTES) + digest
        if key in self._pending or self._family.get(key) is not None:
            return False
        neighbour = generation - 1 if into_ms < self._window_ms else generation + 1
        if neighbour in self._generations:
            near = neighbour.to_bytes(GENERATION_BYTES) + digest
            if near in self._pending or self._family.get(near) is not None:
                return False
        self._pending.add(key)
        added = self._added.get(generation)
        if added is None:
            self._added[generation] = [digest]
            self._generations.add(generation)
        else:
            added.append(digest)
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
        oldest_kept = max(0, self._newest - self._kept).to_bytes(GENERATION_BYTES)
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


def expand(change: Change, store: PartitionStore) -> Iterable[Row]:
    """The rows in RocksDB that one changelog record stands for: a block of digests becomes a row each.

    The block itself is kept, so that its digests can be deleted with it.
    """
    if change.family != layout.SEEN_BLOCKS:
        return (change,)
    generation = change.key[:GENERATION_BYTES]
    digests = change.value if change.value is not None else store.get(layout.SEEN_BLOCKS, change.key) or b""
    family, value = layout.SEEN, None if change.value is None else b""
    rows: list[Row] = [
        (family, generation + digests[at : at + DIGEST_BYTES], value) for at in range(0, len(digests), DIGEST_BYTES)
    ]
    rows.append(change)
    return rows


def _generations_in(store: PartitionStore) -> set[int]:
    """The generations whose blocks the store holds, found by one seek each."""
    generations: set[int] = set()
    start = b""
    while (first := next(store.scan_from(layout.SEEN_BLOCKS, start), None)) is not None:
        generation = int.from_bytes(first[0][:GENERATION_BYTES])
        generations.add(generation)
        start = (generation + 1).to_bytes(GENERATION_BYTES)
    return generations
