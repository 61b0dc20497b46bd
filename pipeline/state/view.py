"""A write-back cache of decoded rows: a row is encoded and written once per unit of work, however often it changed."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

from pipeline.errors import OperatorError
from pipeline.state.store import Change

Row = TypeVar("Row")


class RowFormatError(OperatorError):
    """A stored row does not have this version's format.

    Operator action: run the version that wrote it, or recompute the state (deploy/runbooks/erasing-state.md).
    """


_UNREAD: Any = object()
"""Marks a key that is not cached. None in the cache means that the row does not exist."""


class TableView(Generic[Row]):
    """The core's :class:`~pipeline.event.ports.Table` over one column family.

    Two generations of decoded rows approximate a least-recently-used cache. Reading a row moves it to the young
    generation. If the young generation is full at a commit, the old one is dropped and the young one becomes old.
    Nothing is dropped between commits, so no change is lost before it reaches the changelog.
    """

    def __init__(
        self,
        family: str,
        read: Callable[[bytes], bytes | None],
        encode: Callable[[Row], bytes],
        decode: Callable[[bytes], Row],
        cached_rows: int,
        *,
        prefix: str = "",
    ) -> None:
        """``prefix`` begins every key in the store; callers pass keys without it."""
        self.family, self._prefix = family, prefix
        self._read, self._encode, self._decode = read, encode, decode
        self._young: dict[str, Row | None] = {}
        self._old: dict[str, Row | None] = {}
        self._changed: dict[str, bytes | None] = {}
        """The keys of changed rows, each with the encoded row if it is up to date."""
        self._generation_rows = max(1, cached_rows // 2)
        self._misses = 0

    def get(self, key: str) -> Row | None:
        """Returns the row as last put, or None."""
        row = self._young.get(key, _UNREAD)
        if row is not _UNREAD:
            return row
        if key in self._old:
            row = self._old.pop(key)
        else:
            self._misses += 1
            encoded = self._read((self._prefix + key).encode())
            row = None if encoded is None else self._decode(encoded)
        self._young[key] = row
        return row

    def put(self, key: str, row: Row) -> None:
        """Stores the row. It is durable once the unit of work commits."""
        self._young[key] = row
        self._changed[key] = None

    def encode_now(self, key: str) -> None:
        """Encodes a changed row before the commit. A later :meth:`put` discards the result.

        Callers use it right after they have read the whole row: encoding then takes half the time, because the row is
        still in the processor's cache. At the commit it would come after all other rows of the unit of work.
        """
        row = self._young.get(key)
        if row is not None and key in self._changed:
            self._changed[key] = self._encode(row)

    def delete(self, key: str) -> None:
        """Deletes the row. Deleting a missing row is no error."""
        self._young[key] = None
        self._changed[key] = None

    def changes(self) -> Iterator[Change]:
        """Yields the rows changed since the last commit, encoded, one change per row."""
        family, prefix, encode = self.family, self._prefix, self._encode
        for key, encoded in self._changed.items():
            row = self._young[key]
            value = encoded if encoded is not None or row is None else encode(row)
            yield Change(family, (prefix + key).encode(), value)

    def committed(self) -> None:
        """Called after the result of :meth:`changes` has become durable. Ages the cache if it is full."""
        self._changed = {}
        if self.young() > self._generation_rows:
            self.age()

    def age(self) -> None:
        """Drops the rows that were not used since the last call. Call only when no change waits for a commit."""
        self._old, self._young = self._young, {}

    def forget(self) -> None:
        """Discards all changes and cached rows: after an abort, any decoded row may be ahead of the log."""
        self._young, self._old, self._changed = {}, {}, {}

    def young(self) -> int:
        """Returns the number of rows used since the view last aged."""
        return len(self._young)

    def cached(self) -> int:
        """Returns the number of decoded rows in memory."""
        return len(self._young) + len(self._old)

    def take_misses(self) -> int:
        """Returns the number of rows read from the store since the last call."""
        misses, self._misses = self._misses, 0
        return misses


def msgpack_view(family: str, store: Any, row_type: type[Row], cached_rows: int, *, prefix: str = "") -> TableView[Row]:
    """Returns a view whose rows are msgspec structs, stored as msgpack."""
    read, encode = store.family(family).get, msgspec.msgpack.Encoder().encode
    return TableView(family, read, encode, row_decoder(family, row_type), cached_rows, prefix=prefix)


def row_decoder(family: str, row_type: type[Row]) -> Callable[[bytes], Row]:
    """Returns the function that decodes a column family's msgpack rows. The function raises :class:`RowFormatError`."""
    decode = msgspec.msgpack.Decoder(row_type).decode

    def decoded(data: bytes) -> Row:
        try:
            return decode(data)
        except msgspec.DecodeError as error:
            message = (
                f"a row of {family} was written by another version ({error}); run that version, or recompute the "
                "state: deploy/runbooks/erasing-state.md"
            )
            raise RowFormatError(message) from error

    return decoded
