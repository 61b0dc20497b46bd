"""Decoded rows over a store: read through, written back once per unit of work, however often they changed in it."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

from pipeline.errors import OperatorError
from pipeline.state.store import Change

Row = TypeVar("Row")


class RowFormatError(OperatorError):
    """A stored row does not have this version's format.

    Operator action: run the version that wrote it, or compute the state anew (deploy/runbooks/erasing-state.md).
    """


_UNREAD: Any = object()
"""Not in the cache; None there is a row that does not exist."""


class TableView(Generic[Row]):
    """The core's :class:`~pipeline.event.ports.Table` over one column family.

    Two generations of decoded rows stand in for a least-recently-used list: a row read again moves to the young one,
    and when the young one is full at a commit the old one is dropped. Nothing is dropped between commits, so no change
    that has not reached the changelog can be lost.
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
        """``prefix`` is what all keys in the store begin with, and nobody else has to know."""
        self.family, self._prefix = family, prefix
        self._read, self._encode, self._decode = read, encode, decode
        self._young: dict[str, Row | None] = {}
        self._old: dict[str, Row | None] = {}
        self._dirty: set[str] = set()
        self._generation_rows = max(1, cached_rows // 2)
        self._misses = 0

    def get(self, key: str) -> Row | None:
        """The row as last put, or None."""
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
        """Keep the row; it is durable once the unit of work commits."""
        self._young[key] = row
        self._dirty.add(key)

    def delete(self, key: str) -> None:
        """Forget the row; no error where there is none."""
        self._young[key] = None
        self._dirty.add(key)

    def changes(self) -> Iterator[Change]:
        """The rows changed since the last commit, encoded: one change a row."""
        family, prefix, encode = self.family, self._prefix, self._encode
        for key in self._dirty:
            row = self._young[key]
            yield Change(family, (prefix + key).encode(), None if row is None else encode(row))

    def committed(self) -> None:
        """What :meth:`changes` gave is durable; the cache may now shrink."""
        self._dirty = set()
        if self.young() > self._generation_rows:
            self.age()

    def age(self) -> None:
        """Let go of the rows that were not used since this was last done. Only where nothing waits for a commit."""
        self._old, self._young = self._young, {}

    def forget(self) -> None:
        """The unit of work was aborted: every decoded row may be ahead of the log."""
        self._young, self._old, self._dirty = {}, {}, set()

    def young(self) -> int:
        """Rows used since the view last aged."""
        return len(self._young)

    def cached(self) -> int:
        """Decoded rows held now."""
        return len(self._young) + len(self._old)

    def take_misses(self) -> int:
        """Rows read from the store since the last call."""
        misses, self._misses = self._misses, 0
        return misses


def msgpack_view(family: str, store: Any, row_type: type[Row], cached_rows: int, *, prefix: str = "") -> TableView[Row]:
    """A view whose rows are msgspec structs kept as msgpack."""
    read, encode = store.family(family).get, msgspec.msgpack.Encoder().encode
    return TableView(family, read, encode, row_decoder(family, row_type), cached_rows, prefix=prefix)


def row_decoder(family: str, row_type: type[Row]) -> Callable[[bytes], Row]:
    """The function that decodes the rows of a column family, kept as msgpack. It raises :class:`RowFormatError`."""
    decode = msgspec.msgpack.Decoder(row_type).decode

    def decoded(data: bytes) -> Row:
        try:
            return decode(data)
        except msgspec.DecodeError as error:
            message = (
                f"a row of {family} was written by another version ({error}); run that version, or compute the state "
                "anew: deploy/runbooks/erasing-state.md"
            )
            raise RowFormatError(message) from error

    return decoded
