"""State folders in memory. They outlive processes; a power cut reverts them to an earlier write."""

from collections.abc import Callable, Iterable

from pipeline.state.store import Change
from pipeline.stream.stages.base import StageSpec
from pipeline.testing.store import MemoryStore


class DiskStore(MemoryStore):
    """A store whose process may die before or after a write. As with RocksDB, only one process can open it."""

    def __init__(self) -> None:
        super().__init__()
        self.at: Callable[[str], None] = lambda _step: None
        self.is_open = False

    def apply(self, changes: Iterable[Change], position: int) -> None:
        assert self.is_open, "a write to a closed store"
        rows = list(changes)
        self.at("write")
        super().apply(rows, position)
        self.at("written")

    def close(self) -> None:
        self.is_open = False

    def copy(self) -> "DiskStore":
        """Returns a copy of the folder."""
        store = DiskStore()
        for family, rows in self.families.items():
            store.families[family].update(rows)
        store._position = self._position
        return store


class Disk:
    """The stores of one worker id."""

    def __init__(self) -> None:
        self.stores: dict[tuple[str, int], DiskStore] = {}
        self._earlier: dict[tuple[str, int], DiskStore] = {}

    def mount(self, at: Callable[[str], None]) -> None:
        """Passes the folders, unlocked, to a new process.

        The new process gets store objects of its own: a restore that the former process left behind closes its store
        when it is collected, at a moment that depends on the garbage collector.
        """
        self._at = at
        self.stores = {place: store.copy() for place, store in self.stores.items()}

    def open(self, spec: StageSpec, partition: int) -> DiskStore:
        """Opens a store for a worker."""
        store = self.stores.setdefault((spec.name, partition), DiskStore())
        assert not store.is_open, f"the store of {spec.name} {partition} is open already"
        store.at, store.is_open = self._at, True
        return store

    def remember(self) -> None:
        """Saves the state to which a later power cut reverts."""
        self._earlier = {place: store.copy() for place, store in self.stores.items()}

    def lose_power(self) -> None:
        """Reverts to the saved state: the last writes had not reached the disk."""
        self.stores.update(self._earlier)
        self._earlier = {}

    def copy(self) -> "Disk":
        """Returns a copy, for a successor that starts while the former process still runs on another machine."""
        disk = Disk()
        disk.stores = {place: store.copy() for place, store in self.stores.items()}
        return disk
