"""Time buckets: what one aggregate of one ledger keeps, so that a window can slide over it.

Cells are added into three tiers of buckets and a lifetime total. A tier keeps the buckets no older than its own newest
one less ``keep``, whatever order they came in, so that folding and merging stay commutative and associative: whether a
bucket survives depends on the set of buckets alone.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from pipeline.profile.duration import DAY_MS, HOUR_MS, MINUTE_MS

Cell: TypeAlias = Any
"""What a kind of aggregate keeps for a bucket: an integer, a list, a set as a dict. Never changed in place."""
Add: TypeAlias = Callable[[Cell, Cell], Cell]
"""Commutative and associative; returns a new cell."""
Buckets: TypeAlias = dict[int, Cell]
"""Bucket number (event time // width) to cell."""


class Tier(NamedTuple):
    """Buckets of one width. ``keep * width_ms`` is the longest window the tier can answer."""

    field: str
    width_ms: int
    keep: int


MINUTES: Final = Tier("minutes", MINUTE_MS, 60)
HOURS: Final = Tier("hours", HOUR_MS, 168)
DAYS: Final = Tier("days", DAY_MS, 90)
TIERS: Final = (MINUTES, HOURS, DAYS)


class Cells(msgspec.Struct, array_like=True, gc=False):
    """One aggregate over all time and, where a rule has windows for them, over recent minutes, hours and days."""

    total: Cell
    minutes: Buckets = {}
    hours: Buckets = {}
    days: Buckets = {}


def put(buckets: Buckets, bucket: int, keep: int, cell: Cell, add: Add) -> None:
    """Add a cell to a bucket; one older than the newest less ``keep`` is let go, then or later."""
    old = buckets.get(bucket)
    if old is not None:
        buckets[bucket] = add(old, cell)
        return
    if buckets:
        newest = max(buckets)
        if bucket < newest - keep:
            return
        if bucket > newest:
            prune(buckets, bucket - keep)
    buckets[bucket] = cell


def prune(buckets: Buckets, oldest: int) -> None:
    """Let go of the buckets before ``oldest``."""
    for bucket in [b for b in buckets if b < oldest]:
        del buckets[bucket]


def merge_buckets(one: Buckets, other: Buckets, keep: int, add: Add) -> Buckets:
    """The buckets of two disjoint histories, as if folded together."""
    merged = dict(one)
    for bucket, cell in other.items():
        old = merged.get(bucket)
        merged[bucket] = cell if old is None else add(old, cell)
    if merged:
        prune(merged, max(merged) - keep)
    return merged


def merge_cells(one: Cells, other: Cells, add: Add) -> Cells:
    """The cells of two disjoint histories, as if folded together."""
    return Cells(
        add(one.total, other.total),
        merge_buckets(one.minutes, other.minutes, MINUTES.keep, add),
        merge_buckets(one.hours, other.hours, HOURS.keep, add),
        merge_buckets(one.days, other.days, DAYS.keep, add),
    )
