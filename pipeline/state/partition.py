"""All state of one stage and partition: its store, the views over it, and its changelog's record format."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol

from pipeline.state.seen import expand
from pipeline.state.store import Change, PartitionStore, Row


class View(Protocol):
    """What a unit of work asks of a view."""

    family: str
    """The table's name."""

    def changes(self) -> Iterable[Change]:
        """Changes since the last commit."""
        ...

    def committed(self) -> None:
        """They are durable."""
        ...

    def forget(self) -> None:
        """They never happened."""
        ...


class PartitionState:
    """RocksDB is at or behind the changelog, never ahead: :meth:`persist` runs only after Kafka's commit."""

    def __init__(self, store: PartitionStore, views: Sequence[View]) -> None:
        self.store = store
        self.views = views
        self.written: dict[str, int] = {}
        """Changes by table, as :meth:`changes` last gave them."""
        self.position = store.position()
        """Changelog offset behind the last record that this state contains or has just produced."""

    def changes(self) -> list[Change]:
        """Every row changed since the last commit, once."""
        changes: list[Change] = []
        for view in self.views:
            before = len(changes)
            changes.extend(view.changes())
            self.written[view.family] = len(changes) - before
        return changes

    def persist(self, changes: Iterable[Change]) -> None:
        """Kafka has committed: write the rows and the position in one batch."""
        self.store.apply(expanded(changes, self.store), self.position)
        for view in self.views:
            view.committed()

    def forget(self) -> None:
        """The unit of work was aborted."""
        self.position = self.store.position()
        for view in self.views:
            view.forget()

    def close(self) -> None:
        """Release the database."""
        self.store.close()


def expanded(changes: Iterable[Change], store: PartitionStore) -> Iterator[Row]:
    """Changelog records as rows in RocksDB."""
    return chain.from_iterable(expand(change, store) for change in changes)


def changelog_key(change: Change) -> bytes:
    """``family/key``: the changelog record's key."""
    return b"%s/%s" % (change.family.encode(), change.key)


def change_of(key: bytes, value: bytes | None) -> Change:
    """The change a changelog record stands for."""
    family, _, row_key = key.partition(b"/")
    return Change(family.decode(), row_key, value)
