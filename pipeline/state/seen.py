"""De-duplication by message id: exact within the window, in any order of arrival.

A generation is a span of *event time* that is two windows long. A digest is stored under the generation of its event
time. A duplicate at most one window away from the first event lies in the same generation or in the nearer neighbour.
So a look-up reads at most two keys, and the answer depends neither on arrival order nor on a clock. A commit writes one
changelog record per generation, not one per message.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol

from pipeline.state import layout
from pipeline.state.store import Change, PartitionStore, Row

DIGEST_BYTES = 8
GENERATION_BYTES = 4
FIRST_GENERATION, LAST_GENERATION = 1, (1 << 8 * GENERATION_BYTES) - 2
"""Earlier times count into the first generation, later times into the last: a replay may begin before 1970."""
MIN_WINDOW_MS = 1000
"""A shorter window is extended to this, so that today's generation numbers fit ``GENERATION_BYTES``."""
BLOCKS_EXPIRED_PER_COMMIT = 4
"""More than a commit adds, so that expired blocks decrease; few enough that no commit deletes a whole generation."""


class _Readable(Protocol):
    def get(self, key: bytes) -> bytes | None: ...


class SeenView:
    """The core's :class:`~pipeline.event.ports.SeenIds` over RocksDB.

    Guarantee: if two equal digests have event times at most one window apart, :meth:`add` returns False for the second,
    however late it comes. It does not hold for events older than the memory before the partition's newest event, whose
    generations are deleted. A window of 0 disables de-duplication.
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
        """Generations that hold digests. Saves the look-up in an empty neighbour."""

    def add(self, digest: bytes, timestamp_ms: int) -> bool:
        """Stores an 8-byte digest at its event time. Returns True if the digest was absent: the event is new."""
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
            neighbour_key = neighbour.to_bytes(GENERATION_BYTES) + digest
            if neighbour_key in self._pending or self._family.get(neighbour_key) is not None:
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
        """Yields one block of new digests per generation, and deletions of a few expired blocks."""
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
        """Called after the result of :meth:`changes` has become durable."""
        self._added, self._pending = {}, set()

    def forget(self) -> None:
        """Discards the digests added since the last commit: the unit of work was aborted."""
        self._added, self._pending = {}, set()


def expand_block(change: Change, store: PartitionStore) -> Iterable[Row]:
    """Returns the RocksDB rows that the changelog record of a block stands for: one row per digest, and the block.

    The block is kept because deleting it later deletes its digests.
    """
    generation = change.key[:GENERATION_BYTES]
    digests = change.value if change.value is not None else store.get(layout.SEEN_BLOCKS, change.key) or b""
    family, value = layout.SEEN, None if change.value is None else b""
    rows: list[Row] = [
        (family, generation + digests[at : at + DIGEST_BYTES], value) for at in range(0, len(digests), DIGEST_BYTES)
    ]
    rows.append(change)
    return rows


def _generations_in(store: PartitionStore) -> set[int]:
    """Returns the generations that have blocks in the store. Takes one seek per generation."""
    generations: set[int] = set()
    start = b""
    while (first := next(store.scan_from(layout.SEEN_BLOCKS, start), None)) is not None:
        generation = int.from_bytes(first[0][:GENERATION_BYTES])
        generations.add(generation)
        start = (generation + 1).to_bytes(GENERATION_BYTES)
    return generations
