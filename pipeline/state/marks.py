"""Marks of erased and refused identifiers, and the erasures that a partition is still sweeping. All are in memory."""

from collections.abc import Iterator
from typing import Final

import msgspec

from pipeline.event.erasure import Mark, Marking, MarkTable
from pipeline.state import layout
from pipeline.state.store import Change, PartitionStore
from pipeline.state.view import row_decoder

_DIGEST: Final = b"d/"
_SWEEP: Final = b"s/"
_encode = msgspec.msgpack.Encoder().encode


class Sweep(msgspec.Struct, array_like=True, gc=False):
    """An erasure whose rows a partition has not reported as clean yet."""

    marking: Marking
    sources: list[str]
    """The partitions that sent the mark; only ROUTE receives it from several."""
    rows_read: int = 0
    rows_changed: int = 0
    is_swept: bool = False
    """Whether a pass over all rows has ended since the mark was last received."""


class Receipt(msgspec.Struct, array_like=True):
    """One partition of a stage holds nothing of an erased customer any more."""

    tenant: str
    request: str
    stage: str
    partition: int
    rows_read: int
    rows_changed: int
    at_ms: int
    """When the partition wrote it, in ms since 1970."""


class MarksView:
    """The marks of one partition. ``unswept`` are those that rows may be older than."""

    family = layout.MARKS

    def __init__(self, store: PartitionStore) -> None:
        self._store = store
        self.known, self.unswept = MarkTable(), MarkTable()
        self.sweeps: dict[str, Sweep] = {}
        """By request, oldest first."""
        self._changed: dict[bytes, bytes | None] = {}
        self.forget()

    def note(self, marking: Marking) -> None:
        """Applies a decision. An erasure must be swept from now on, again if it was received before."""
        for digest, mark in self.known.note(marking).items():
            self._changed[_DIGEST + digest] = _encode(mark)
        if marking.kind == "erase":
            sweep = self.sweeps.get(marking.request) or Sweep(marking, [])
            sweep.sources, sweep.is_swept = sorted({*sweep.sources, marking.source}), False
            self.put(sweep)

    def put(self, sweep: Sweep) -> None:
        """Stores the progress of a sweep."""
        request = sweep.marking.request
        self.sweeps[request] = sweep
        self._changed[_SWEEP + request.encode()] = _encode(sweep)
        self._set_unswept()

    def end(self, request: str) -> None:
        """Ends a sweep: its rows are clean."""
        del self.sweeps[request]
        self._changed[_SWEEP + request.encode()] = None
        self._set_unswept()

    @property
    def is_durable(self) -> bool:
        """Returns whether nothing has changed since the last commit."""
        return not self._changed

    def changes(self) -> Iterator[Change]:
        """Yields the rows changed since the last commit."""
        for key, value in self._changed.items():
            yield Change(self.family, key, value)

    def committed(self) -> None:
        """Called after the result of :meth:`changes` has become durable."""
        self._changed = {}

    def forget(self) -> None:
        """Reads the committed rows again: the unit of work was aborted."""
        self.known.clear()
        self.sweeps.clear()
        self._changed = {}
        for key, row in self._store.scan(self.family):
            if key.startswith(_DIGEST):
                self.known[key[len(_DIGEST) :]] = _decode_mark(row)
            else:
                sweep = _decode_sweep(row)
                self.sweeps[sweep.marking.request] = sweep
        self._set_unswept()

    def _set_unswept(self) -> None:
        unswept, known = self.unswept, self.known
        unswept.clear()
        for sweep in self.sweeps.values():
            if not sweep.is_swept:
                unswept.update((digest, known[digest]) for digest in (*sweep.marking.people, *sweep.marking.others))


_decode_mark, _decode_sweep = row_decoder(layout.MARKS, Mark), row_decoder(layout.MARKS, Sweep)
