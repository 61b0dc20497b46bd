"""Orders: one order id is one order, and what is refunded is taken back.

A ledger keeps its newest orders by a hash of their id. The first event of an id that arrives is the order; a repetition
counts as a touch, and under no rule that names its event. A refund or a cancellation is signed money: booked once per
order and refund id, at most as much as the order was worth, under every rule that summed the order's money up.
"""

from collections.abc import Iterable
from operator import attrgetter
from typing import Final

import msgspec

from pipeline.profile.kinds.values import hash_of

MAX_ORDERS: Final = 100
"""Orders kept in one ledger, the newest by (event time, hash of the id). An older one that comes again counts again."""
MAX_REFUNDS: Final = 50
"""Refunds of one order whose ids are kept."""


class Order(msgspec.Struct, array_like=True, gc=False):
    """What a ledger knows of one order."""

    timestamp_ms: int
    """Of the order; of the newest refund while the order itself is not known."""
    event_id: str = ""
    """Of the event that counts as the order; "" while it is not known."""
    amount_minor: int = 0
    currency: str = ""
    refunds: dict[str, int] = {}
    """Hash of the refund's id to what it took back, in minor units of :attr:`currency`."""
    whole: bool = False
    """Refunded or cancelled with no amount named: all of it is taken back."""
    keys: list[str] = []
    """The aggregates that have summed its money up."""

    @property
    def refunded_minor(self) -> int:
        """What refunds have taken back, at most what the order was worth."""
        if self.whole:
            return max(0, self.amount_minor)
        return min(sum(self.refunds.values()), max(0, self.amount_minor))

    @property
    def left_minor(self) -> int:
        """What refunds have not taken back yet."""
        return max(0, self.amount_minor) - self.refunded_minor


Orders = dict[str, Order]
"""By :func:`key_of_id` of the order id."""


def key_of_id(text: str) -> str:
    """16 hex digits that stand for the id of an order or a refund."""
    return f"{hash_of(text):016x}"


def keep_newest_orders(orders: Orders) -> None:
    """Forget the oldest beyond :data:`MAX_ORDERS`, in place."""
    while len(orders) > MAX_ORDERS:
        del orders[min(orders, key=lambda key: (orders[key].timestamp_ms, key))]


def join_orders(one: Orders, other: Orders) -> Orders:
    """What both know. Neither argument is changed."""
    joined = dict(one)
    for key, order in other.items():
        joined[key] = _join(joined[key], order) if key in joined else order
    keep_newest_orders(joined)
    return joined


def _join(one: Order, other: Order) -> Order:
    """The earlier event is the order; a refund that both know counts once."""
    known = [order for order in (one, other) if order.event_id]
    first = min(known, key=attrgetter("timestamp_ms", "event_id"), default=max((one, other), key=_text_of))
    refunds = dict(one.refunds)
    for key, minor in other.refunds.items():
        refunds[key] = max(minor, refunds.get(key, minor))
    whole = one.whole or other.whole
    return msgspec.structs.replace(first, refunds=bounded_refunds(refunds), whole=whole)


def bounded_refunds(refunds: dict[str, int]) -> dict[str, int]:
    """The refunds that are kept of one order: those of the smallest hashes."""
    return refunds if len(refunds) <= MAX_REFUNDS else dict(sorted(refunds.items())[:MAX_REFUNDS])


def _text_of(order: Order) -> tuple[int, bytes]:
    return order.timestamp_ms, msgspec.msgpack.encode(order)


def refunded_by_event(kept: Iterable[Orders]) -> dict[str, int]:
    """Minor units taken back of each order, by the event id of the order, over all ledgers of a profile."""
    joined: Orders = {}
    for orders in kept:
        if orders:
            joined = join_orders(joined, orders)
    return {
        order.event_id: order.refunded_minor for order in joined.values() if order.event_id and order.refunded_minor
    }
