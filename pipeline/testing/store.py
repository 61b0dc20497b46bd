"""A partition's store in dicts: the twin of :class:`~pipeline.state.store.PartitionStore`."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice

from pipeline.state.store import Row


class MemoryStore:
    """Column families as dicts. ``apply`` is atomic, because nothing interrupts it."""

    def __init__(self) -> None:
        self.families: defaultdict[str, dict[bytes, bytes]] = defaultdict(dict)
        self._position = 0
        self._sorted: dict[str, list[bytes]] = {}
        """By family, its keys in order, some perhaps deleted since; missing if keys were added."""

    def get(self, family: str, key: bytes) -> bytes | None:
        return self.families[family].get(key)

    def holds(self, family: str) -> bool:
        return family.isidentifier()

    def family(self, name: str) -> dict[bytes, bytes]:
        return self.families[name]

    def scan(self, family: str) -> Iterator[tuple[bytes, bytes]]:
        return self.scan_from(family, b"")

    def scan_from(self, family: str, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        rows = self.families[family]
        keys = self._sorted.get(family)
        if keys is None:
            keys = self._sorted[family] = sorted(rows)
        return ((key, rows[key]) for key in islice(keys, bisect_left(keys, start), None) if key in rows)

    def position(self) -> int:
        return self._position

    def apply(self, changes: Iterable[Row], position: int) -> None:
        for family, key, value in changes:
            if value is None:
                self.families[family].pop(key, None)
            else:
                if key not in self.families[family]:
                    self._sorted.pop(family, None)
                self.families[family][key] = value
        self._position = position

    def reclaim(self, families: Collection[str]) -> Callable[[], bool]:  # noqa: ARG002 - dicts keep nothing deleted
        return lambda: True

    def close(self) -> None:
        """Does nothing."""
