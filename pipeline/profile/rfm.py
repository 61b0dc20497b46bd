"""Recency, frequency, monetary value and age, in the two senses that the field has for them.

*For models* (Fader, Hardie, Lee: RFM and CLV: Using Iso-Value Curves for Customer Base Analysis, Journal of Marketing
Research 42, 2005): frequency ``x`` is the number of repeat purchase days, recency ``t_x`` the days from the first to
the last purchase, ``T`` the days from the first purchase to now, monetary value the mean spend of the repeat days.

*For marketing* (Hughes: Strategic Database Marketing, 1994): days since the last purchase, orders and money in all,
each told as a digit from 1 (least) to 5 (best fifth of the customers); ``545`` bought last week, often, and for much.

Days are whole, in UTC. Everything is an integer but the mean, which is divided when read.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import reduce
from typing import Final, NamedTuple, TypeAlias

import msgspec

from pipeline.profile.kinds.pairs import Pairs
from pipeline.profile.kinds.purchases import PURCHASES, Purchases, purchases_of
from pipeline.profile.ledger import Ledger

Edges: TypeAlias = tuple[int, int, int, int]
"""The largest value of each fifth but the last, never falling."""
_FIFTHS: Final = 5


class Summary(NamedTuple):
    """One customer at one moment."""

    frequency: int
    """Purchase days after the first: ``x``."""
    recency_days: int
    """First to last purchase day: ``t_x``."""
    age_days: int
    """First purchase day to now: ``T``, never below ``t_x``."""
    repeat_minor: int
    """Money of the repeat purchase days."""
    orders: int
    total_minor: int

    @property
    def monetary_minor(self) -> float:
        """Mean spend of a repeat purchase day; 0.0 where there is none."""
        return self.repeat_minor / self.frequency if self.frequency else 0.0

    @property
    def days_since(self) -> int:
        """Days since the last purchase day."""
        return self.age_days - self.recency_days


def summary_of(purchases: Purchases, as_of_day: int) -> Summary:
    """The summary at a day; a day before the last purchase is taken as that one."""
    first_day, last_day, days, orders, total_minor, repeat_minor = purchases
    recency_days = last_day - first_day
    age_days = max(as_of_day - first_day, recency_days)
    return Summary(days - 1, recency_days, age_days, repeat_minor, orders, total_minor)


def purchases_in(ledgers: Sequence[Ledger], name: str, currency: str) -> Purchases | None:
    """What the ledgers of a profile hold of the aggregate ``name`` in one currency; None without an order in it."""
    key = f"{PURCHASES.name}:{name}"
    cells: list[Pairs] = []
    for ledger in ledgers:
        groups = ledger.aggregates.get(key)
        if groups is not None and currency in groups:
            cells.append(groups[currency].total)
    return purchases_of(reduce(PURCHASES.add, cells)) if cells else None


def until(history: Pairs, day: int) -> Pairs:
    """The part of a cell that was known at the end of a day."""
    return [pair for pair in history if pair[0] <= day]


class RfmEdges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the fifths of a customer base end, so that one customer can be ranked without the others."""

    days_since: Edges
    orders: Edges
    total_minor: Edges

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            edges = getattr(self, name)
            if list(edges) != sorted(edges):
                msg = f"rfm edges of {name} fall: {edges}; they are the upper ends of fifths, from the least on"
                raise ValueError(msg)


def rfm_digits(summary: Summary, edges: RfmEdges) -> str:
    """Recency, frequency and monetary value as three digits from 1 to 5. Equal customers have equal digits."""
    recency = _FIFTHS + 1 - _fifth(summary.days_since, edges.days_since)
    return f"{recency}{_fifth(summary.orders, edges.orders)}{_fifth(summary.total_minor, edges.total_minor)}"


def edges_of(values: Sequence[int]) -> Edges:
    """The edges of a customer base's values, at least one, by nearest rank."""
    ranked = sorted(values)
    one, two, three, four = (ranked[(len(ranked) * fifth - 1) // _FIFTHS] for fifth in range(1, _FIFTHS))
    return one, two, three, four


def _fifth(value: int, edges: Edges) -> int:
    return 1 + bisect_left(edges, value)
