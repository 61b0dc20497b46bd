"""Recency, frequency, monetary value and age, in their two usual definitions.

*For models* (Fader, Hardie, Lee: RFM and CLV: Using Iso-Value Curves for Customer Base Analysis, Journal of Marketing
Research 42, 2005): frequency ``x`` is the number of repeat purchase days, recency ``t_x`` the days from the first to
the last purchase, ``T`` the days from the first purchase to now, monetary value the mean spend of the repeat days.

*For marketing* (Hughes: Strategic Database Marketing, 1994): days since the last purchase, total orders and total
money, each as a digit from 1 (lowest fifth of the customers) to 5 (best fifth). ``545`` is a customer with recent,
frequent and large purchases.

Days are whole days in UTC. All values except the mean are integers; the mean is computed when read.
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
"""The largest value of each fifth except the last, in ascending order."""
_FIFTHS: Final = 5


class Summary(NamedTuple):
    """The purchase summary of one customer at one moment."""

    frequency: int
    """Purchase days after the first: ``x``."""
    recency_days: int
    """Days from the first to the last purchase day: ``t_x``."""
    age_days: int
    """Days from the first purchase day to now: ``T``, never below ``t_x``."""
    repeat_minor: int
    """The sum of the repeat purchase days, in minor units."""
    orders: int
    total_minor: int

    @property
    def monetary_minor(self) -> float:
        """Mean spend of a repeat purchase day in minor units; 0.0 if there is none."""
        return self.repeat_minor / self.frequency if self.frequency else 0.0

    @property
    def days_since(self) -> int:
        """Days since the last purchase day."""
        return self.age_days - self.recency_days


def summary_of(purchases: Purchases, as_of_day: int) -> Summary:
    """Returns the summary at a day, at the earliest the day of the last purchase."""
    first_day, last_day, days, orders, total_minor, repeat_minor = purchases
    recency_days = last_day - first_day
    age_days = max(as_of_day - first_day, recency_days)
    return Summary(days - 1, recency_days, age_days, repeat_minor, orders, total_minor)


def purchases_in(ledgers: Sequence[Ledger], name: str, currency: str) -> Purchases | None:
    """Returns the purchases of aggregate ``name`` in one currency over a profile's ledgers; None without an order."""
    key = f"{PURCHASES.name}:{name}"
    cells: list[Pairs] = []
    for ledger in ledgers:
        groups = ledger.aggregates.get(key)
        if groups is not None and currency in groups:
            cells.append(groups[currency].total)
    return purchases_of(reduce(PURCHASES.add, cells)) if cells else None


def until(history: Pairs, day: int) -> Pairs:
    """Returns the part of a cell up to the end of a day."""
    return [pair for pair in history if pair[0] <= day]


class RfmEdges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ends of the fifths of a customer base, so that one customer can be ranked without the others."""

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
    """Returns recency, frequency and monetary value as three digits from 1 to 5. Equal summaries have equal digits."""
    recency = _FIFTHS + 1 - _fifth(summary.days_since, edges.days_since)
    return f"{recency}{_fifth(summary.orders, edges.orders)}{_fifth(summary.total_minor, edges.total_minor)}"


def edges_of(values: Sequence[int]) -> Edges:
    """Returns the edges of a customer base's values, at least one, by nearest rank."""
    ranked = sorted(values)
    one, two, three, four = (ranked[(len(ranked) * fifth - 1) // _FIFTHS] for fifth in range(1, _FIFTHS))
    return one, two, three, four


def _fifth(value: int, edges: Edges) -> int:
    return 1 + bisect_left(edges, value)
