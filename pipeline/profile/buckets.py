"""Time buckets: the storage of one aggregate in one ledger, over which windows slide.

Cells are added to three tiers of buckets and to a lifetime total. A tier drops buckets older than its newest bucket
minus ``keep``. So whether a bucket survives depends only on the set of buckets, not on their order, and folding and
merging stay commutative and associative. Buckets are sorted lists instead of dicts: the newest bucket is the last, a
window is one bisection and one slice, and equal buckets encode to equal bytes.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from pipeline.event.duration import DAY_MS, HOUR_MS, MINUTE_MS

Cell: TypeAlias = Any
"""The value of a bucket: an integer, a list, or a set as a dict, depending on the kind. Never changed in place."""
Add: TypeAlias = Callable[[Cell, Cell], Cell]
"""Adds two cells. Must be commutative and associative, and return a new cell."""


class Tier(NamedTuple):
    """Buckets of one width. ``keep * width_ms`` is the longest window the tier can answer."""

    field: str
    width_ms: int
    keep: int


MINUTES: Final = Tier("minutes", MINUTE_MS, 60)
HOURS: Final = Tier("hours", HOUR_MS, 168)
DAYS: Final = Tier("days", DAY_MS, 90)
TIERS: Final = (MINUTES, HOURS, DAYS)


class Series(msgspec.Struct, array_like=True, gc=False):
    """At least one bucket of one width, in order of time: ``cells[i]`` belongs to bucket number ``at[i]``."""

    at: list[int]
    """Bucket numbers: event time // width."""
    cells: list[Cell]

    def since(self, bucket: int) -> list[Cell]:
        """Returns the cells from a bucket on."""
        return self.cells[bisect_left(self.at, bucket) :]


class Cells(msgspec.Struct, array_like=True, gc=False):
    """One aggregate over all time and, where a rule has windows for them, over recent minutes, hours and days."""

    total: Cell
    """None for kinds without a lifetime total."""
    minutes: Series | None = None
    hours: Series | None = None
    days: Series | None = None


@lru_cache(maxsize=1 << 13)
def shared(bucket: int) -> int:
    """Returns the same number as one object that all rows share.

    Separate objects cost 32 bytes per bucket. Reading each of them also waits for memory, which dominates the time to
    read and encode a large row.
    """
    return bucket


def spread(cells: Cells, cell: Cell, add: Add, timestamp_ms: int, tiers: Sequence[Tier]) -> None:
    """Adds a cell to its bucket in each tier. The caller updates the total."""
    for field, width_ms, keep in tiers:
        bucket = timestamp_ms // width_ms
        series: Series | None = getattr(cells, field)
        if series is None:
            setattr(cells, field, Series([shared(bucket)], [cell]))
        elif series.at[-1] == bucket:
            series.cells[-1] = add(series.cells[-1], cell)
        else:
            put(series, bucket, keep, cell, add)


def put(series: Series, bucket: int, keep: int, cell: Cell, add: Add) -> None:
    """Adds a cell to a bucket. Buckets older than the newest minus ``keep`` are dropped now or later."""
    at, cells = series.at, series.cells
    newest = at[-1]
    if bucket > newest:  # the usual case
        at.append(shared(bucket))
        cells.append(cell)
        if at[0] < bucket - keep:
            _prune(series, bucket - keep)
    elif bucket == newest:
        cells[-1] = add(cells[-1], cell)
    elif bucket >= newest - keep:
        place = bisect_left(at, bucket)
        if at[place] == bucket:
            cells[place] = add(cells[place], cell)
        else:
            at.insert(place, shared(bucket))
            cells.insert(place, cell)


def _prune(series: Series, oldest: int) -> None:
    gone = bisect_left(series.at, oldest)
    del series.at[:gone]
    del series.cells[:gone]


def merge_series(one: Series | None, other: Series | None, keep: int, add: Add) -> Series | None:
    """Returns the buckets of two disjoint histories, as if folded together. Changes neither argument."""
    if one is None or other is None:
        return one or other
    merged = Series(list(one.at), list(one.cells))
    for bucket, cell in zip(other.at, other.cells, strict=True):
        put(merged, bucket, keep, cell, add)
    return merged


def merge_cells(one: Cells, other: Cells, add: Add) -> Cells:
    """Returns the cells of two disjoint histories, as if folded together. Changes neither argument."""
    return Cells(
        None if one.total is None else add(one.total, other.total),
        merge_series(one.minutes, other.minutes, MINUTES.keep, add),
        merge_series(one.hours, other.hours, HOURS.keep, add),
        merge_series(one.days, other.days, DAYS.keep, add),
    )


def without(
    series: Series | None, bucket: int, cell: Cell, subtract: Callable[[Cell, Cell], Cell | None]
) -> Series | None:
    """Returns the buckets with a cell taken out of one of them. A bucket that is not kept stays so.

    Returns None if no bucket is left. Does not change the argument.
    """
    if series is None:
        return None
    place = bisect_left(series.at, bucket)
    if place == len(series.at) or series.at[place] != bucket:
        return series
    rest = subtract(series.cells[place], cell)
    left = [] if rest is None else [rest]
    at = series.at if left else series.at[:place] + series.at[place + 1 :]
    return Series(list(at), series.cells[:place] + left + series.cells[place + 1 :]) if at else None
