"""Purchases by day: what recency, frequency and monetary value are computed from, exactly.

The cell is [day, [amount in minor units, orders]] pairs, the day being event time // 1 day in UTC. A day on which two
ledgers of one customer both have orders is one purchase day once they are folded, so frequency, which counts distinct
days, stays exact under merges and splits. A cell grows by one pair for each day with a purchase, for ever.

Money below zero is a refund: it lowers the amount of the day it is booked on and is no order. Refunds and cancellations
that name an order arrive here as such (:mod:`pipeline.profile.order_booking`), unless the rule's filter admits their
event itself: then it is taken as it is, with its own sign. An amount of zero is an order.
"""

from typing import Any, NamedTuple

from pipeline.event.duration import DAY_MS
from pipeline.profile.kinds.kind import Kind
from pipeline.profile.kinds.pairs import Pairs, join_pairs


class Purchases(NamedTuple):
    """What a cell says, in whole numbers. A purchase day is one with at least one order."""

    first_day: int
    """First purchase day, in days since the epoch."""
    last_day: int
    days: int
    """Purchase days, at least one."""
    orders: int
    total_minor: int
    """All money, refunds on any day taken off."""
    repeat_minor: int
    """Money of the purchase days after the first."""


def purchases_of(cell: Pairs) -> Purchases | None:
    """The facts of a cell; None where it has no order (refunds alone)."""
    first_day = last_day = days = orders = total_minor = repeat_minor = 0
    for day, (amount_minor, count) in cell:
        total_minor += amount_minor
        if count:
            if days:
                repeat_minor += amount_minor
            else:
                first_day = day
            last_day = day
            days += 1
            orders += count
    return Purchases(first_day, last_day, days, orders, total_minor, repeat_minor) if days else None


def _lift(value: int, timestamp_ms: int, _event_id: str) -> Pairs:
    return [[timestamp_ms // DAY_MS, [value, 1 if value >= 0 else 0]]]


def _join(one: list[int], other: list[int]) -> list[int]:
    return [one[0] + other[0], one[1] + other[1]]


def _add(one: Pairs, other: Pairs) -> Pairs:
    """Booking in the order of time appends, or adds to the last day: neither looks at the days before."""
    last_day, next_day = one[-1][0], other[0][0]
    if next_day > last_day:
        return one + other
    if next_day == last_day and len(other) == 1:
        return [*one[:-1], [last_day, _join(one[-1][1], other[0][1])]]
    return join_pairs(one, other, _join)


def _read(cell: Pairs, _divisor: int) -> dict[str, Any] | None:
    """The facts, and ``history``: [day, amount, orders] of every day, which ``model fit`` learns from."""
    purchases = purchases_of(cell)
    if purchases is None:
        return None
    return {**purchases._asdict(), "history": [[day, amount, orders] for day, (amount, orders) in cell]}


PURCHASES = Kind("purchases", "money", _lift, _add, _read, None, lifetime_only=True)
