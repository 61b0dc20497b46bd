"""The number of partitions for which a partition's state was built, in RocksDB and in the changelog.

Keys are assigned to partitions by the hash of the key modulo that number. With another number, the state of a key lies
in a partition that no longer gets the key's records.
"""

from collections.abc import Iterable

from pipeline.errors import OperatorError
from pipeline.state import layout
from pipeline.state.store import Change, PartitionStore


class PartitionsChangedError(OperatorError):
    """The topics have another number of partitions than the state was built for.

    Operator action: copy the events into new topics with the wanted number; see "More partitions" in
    deploy/docs/operations.md.
    """


def explained_change(what: str, now: int, before: int) -> str:
    """Returns both numbers and the remedy."""
    return (
        f"{what} {now} partitions, but the state was built for {before}, and partitions cannot be changed in place; "
        'copy the events into new topics: stitchline topics copy, see "More partitions" in deploy/docs/operations.md'
    )


class PartitionCountView:
    """Writes the number with the first transaction of a partition."""

    family = layout.META

    def __init__(self, store: PartitionStore, count: int) -> None:
        """Raises PartitionsChangedError if the store was built for another number."""
        stored = store.get(layout.META, layout.META_PARTITIONS)
        if stored is not None and int(stored) != count:
            raise PartitionsChangedError(explained_change("the topics have", count, int(stored)))
        self._pending = [] if stored else [Change(layout.META, layout.META_PARTITIONS, b"%d" % count)]

    def changes(self) -> Iterable[Change]:
        """Returns the number until it has become durable."""
        return self._pending

    def committed(self) -> None:
        """Stops writing the number."""
        self._pending = []

    def forget(self) -> None:
        """Does nothing: the number is written with the next transaction."""
