"""All state of one stage and partition: its store, the views over it, and its changelog's record format."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from pipeline.state.layout import SEEN_BLOCKS
from pipeline.state.seen import expand_block
from pipeline.state.store import Change, PartitionStore, Row


class View(Protocol):
    """The part of a view that a unit of work uses."""

    family: str
    """The table's name."""

    def changes(self) -> Iterable[Change]:
        """Returns the changes since the last commit."""
        ...

    def committed(self) -> None:
        """Called after the changes have become durable."""
        ...

    def forget(self) -> None:
        """Discards the changes: the unit of work was aborted."""
        ...


class PartitionState:
    """Holds a partition's store and views.

    RocksDB is at or behind the changelog, never ahead, because :meth:`persist` runs only after Kafka's commit.
    """

    def __init__(self, store: PartitionStore, views: Sequence[View]) -> None:
        self.store = store
        self.views = views
        self.written: dict[str, int] = {}
        """Number of changes by table, from the last call of :meth:`changes`."""
        self.position = store.position()
        """Next changelog offset: one past the last record that this state contains or has just produced."""

    def changes(self) -> list[Change]:
        """Returns every row changed since the last commit, once per row."""
        changes: list[Change] = []
        for view in self.views:
            before = len(changes)
            changes.extend(view.changes())
            self.written[view.family] = len(changes) - before
        return changes

    def persist(self, changes: Iterable[Change]) -> None:
        """Writes the rows and the changelog position in one batch. Call only after Kafka has committed."""
        self.store.apply(expanded(changes, self.store), self.position)
        for view in self.views:
            view.committed()

    def forget(self) -> None:
        """Discards all changes since the last commit: the unit of work was aborted."""
        self.position = self.store.position()
        for view in self.views:
            view.forget()

    def close(self) -> None:
        """Closes the database."""
        self.store.close()


def expanded(changes: Iterable[Change], store: PartitionStore) -> Iterator[Row]:
    """Yields the RocksDB rows that the changelog records stand for."""
    for change in changes:
        if change.family == SEEN_BLOCKS:
            yield from expand_block(change, store)
        else:
            yield change


def changelog_key(change: Change) -> bytes:
    """Returns the key of the change's changelog record: ``family/key``."""
    return b"%s/%s" % (change.family.encode(), change.key)


def change_of(key: bytes, value: bytes | None) -> Change:
    """Returns the change that a changelog record stands for. A foreign record's family is one that no store holds."""
    family, _, row_key = key.partition(b"/")
    return Change(family.decode(errors="replace"), row_key, value)
