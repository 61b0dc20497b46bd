"""A partition's store in dicts: the twin of :class:`~pipeline.state.store.PartitionStore`."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from pipeline.state.store import Row


class MemoryStore:
    """Column families as dicts. ``apply`` is atomic, because nothing interrupts it."""

    def __init__(self) -> None:
        self.families: defaultdict[str, dict[bytes, bytes]] = defaultdict(dict)
        self._position = 0

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
        return iter([(key, rows[key]) for key in sorted(rows) if key >= start])

    def position(self) -> int:
        return self._position

    def apply(self, changes: Iterable[Row], position: int) -> None:
        for family, key, value in changes:
            if value is None:
                self.families[family].pop(key, None)
            else:
                self.families[family][key] = value
        self._position = position

    def close(self) -> None:
        """Does nothing."""
