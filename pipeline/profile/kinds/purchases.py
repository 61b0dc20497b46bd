"""Purchases by day: the exact input of recency, frequency and monetary value.

The cell consists of [day, [amount in minor units, orders]] pairs, where the day is event time // 1 day in UTC. If two
ledgers of one customer have orders on one day, the fold counts one purchase day. So frequency, the number of distinct
days, stays exact under merges and splits. A cell grows by one pair per day with a purchase, without a bound.

A negative amount is a refund: it lowers the amount of the day it is booked on and does not count as an order. Refunds
and cancellations of an order are booked here as negative amounts (:mod:`pipeline.profile.order_booking`). If the rule's
filter itself admits their event, the event's amount is booked with its own sign. An amount of zero is an order.
"""

from typing import Any, NamedTuple

from pipeline.event.duration import DAY_MS
from pipeline.profile.kinds.kind import Kind
from pipeline.profile.kinds.pairs import Pairs, join_pairs, subtract_pairs


class Purchases(NamedTuple):
    """The summary of a cell, in integers. A purchase day has at least one order."""

    first_day: int
    """First purchase day, in days since the epoch."""
    last_day: int
    days: int
    """Purchase days, at least one."""
    orders: int
    total_minor: int
    """The sum of all amounts, less refunds of any day."""
    repeat_minor: int
    """The sum of the purchase days after the first."""


def purchases_of(cell: Pairs) -> Purchases | None:
    """Returns the summary of a cell; None if it contains only refunds."""
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
    """Adds two cells. Booking in order of time only appends or adds to the last day, without reading earlier days."""
    last_day, next_day = one[-1][0], other[0][0]
    if next_day > last_day:
        return one + other
    if next_day == last_day and len(other) == 1:
        return [*one[:-1], [last_day, _join(one[-1][1], other[0][1])]]
    return join_pairs(one, other, _join)


def _read(cell: Pairs, _divisor: int) -> dict[str, Any] | None:
    """Returns the summary, and ``history``: [day, amount, orders] of every day, the input of ``model fit``."""
    purchases = purchases_of(cell)
    if purchases is None:
        return None
    return {**purchases._asdict(), "history": [[day, amount, orders] for day, (amount, orders) in cell]}


def _less(one: list[int], other: list[int]) -> list[int] | None:
    return None if one == other else [one[0] - other[0], one[1] - other[1]]


def _subtract(one: Pairs, other: Pairs) -> Pairs | None:
    return subtract_pairs(one, other, _less)


PURCHASES = Kind("purchases", "money", _lift, _add, _read, None, lifetime_only=True, subtract=_subtract)
