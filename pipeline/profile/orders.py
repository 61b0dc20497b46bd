"""Orders: counts each order id once, and subtracts refunds.

A ledger keeps its newest orders by a hash of their id. The first event of an id to arrive is the order. A repetition
counts as a touch, but not under rules that name its event. A refund or a cancellation is a negative amount. It is
booked once per order and refund id, under every rule that summed the order's amount, and at most up to that amount.
"""

from collections.abc import Iterable
from operator import attrgetter
from typing import Final

import msgspec

from pipeline.profile.buckets import Cell
from pipeline.profile.kinds.values import hash_of

_CANONICAL: Final = msgspec.msgpack.Encoder(order="deterministic")
MAX_ORDERS: Final = 100
"""Orders kept in one ledger, the newest by (event time, hash of the id). Repetitions of older ones count again."""
MAX_REFUNDS: Final = 50
"""The most refund ids kept per order."""


class Share(msgspec.Struct, array_like=True, gc=False):
    """What one event of an order added to its ledger, so that a repetition in another ledger can be taken out again.

    Contains only the additions of rules that name their events, and of kinds with a ``subtract``.
    """

    timestamp_ms: int
    currency: str = ""
    cells: dict[str, Cell] = {}
    """The event's cell by the key of the aggregate."""
    occurrences: list[str] = []
    """Score rules that counted the event."""
    taken_minor: int = 0
    """What the event took back from sums of money, in minor units of the currency."""


class Order(msgspec.Struct, array_like=True, gc=False):
    """The state of one order in a ledger."""

    timestamp_ms: int
    """Event time of the order, or of the newest refund while the order is not known, in ms since 1970."""
    event_id: str = ""
    """Id of the event that counts as the order; "" while the order is not known."""
    amount_minor: int = 0
    currency: str = ""
    refunds: dict[str, int] = {}
    """Refunded amounts by the hash of the refund's id, in minor units of :attr:`currency`, even above the order's."""
    whole: bool = False
    """Whether a refund or cancellation without an amount refunded all of it."""
    keys: list[str] = []
    """Keys of the aggregates that have summed its amount."""

    @property
    def refunded_minor(self) -> int:
        """The refunded amount, at most the amount of the order."""
        if self.whole:
            return max(0, self.amount_minor)
        return min(sum(self.refunds.values()), max(0, self.amount_minor))

    @property
    def left_minor(self) -> int:
        """The amount that is not refunded yet."""
        return max(0, self.amount_minor) - self.refunded_minor

    share: Share | None = None
    """What the order's event added; None if the order is not known."""
    refund_shares: dict[str, Share] = {}
    """What each refund's event added, by the keys of :attr:`refunds`."""

    def keep_refund(self, key: str, minor: int, share: Share) -> None:
        """Keeps a refund, in place; at most those of the smallest hashes."""
        self.refunds = bounded_refunds({**self.refunds, key: minor})
        self.refund_shares = {name: item for name, item in self.refund_shares.items() if name in self.refunds}
        if key in self.refunds:
            self.refund_shares[key] = share


Orders = dict[str, Order]
"""Orders by :func:`key_of_id` of the order id."""


def key_of_id(text: str) -> str:
    """Returns a hash of an order or refund id, as 16 hexadecimal digits."""
    return f"{hash_of(text):016x}"


def keep_newest_orders(orders: Orders) -> None:
    """Removes the oldest orders beyond :data:`MAX_ORDERS`, in place."""
    while len(orders) > MAX_ORDERS:
        del orders[min(orders, key=lambda key: (orders[key].timestamp_ms, key))]


def join_orders(one: Orders, other: Orders) -> Orders:
    """Returns the orders of both. Changes neither argument."""
    joined = dict(one)
    for key, order in other.items():
        joined[key] = join_order(joined[key], order) if key in joined else order
    keep_newest_orders(joined)
    return joined


def join_order(one: Order, other: Order) -> Order:
    """Merges two states of one order. The earlier event is the order; a refund in both counts once."""
    known = [order for order in (one, other) if order.event_id]
    first = min(known, key=attrgetter("timestamp_ms", "event_id"), default=max((one, other), key=_text_of))
    refunds = dict(one.refunds)
    for key, minor in other.refunds.items():
        refunds[key] = max(minor, refunds.get(key, minor))
    refunds = bounded_refunds(refunds)
    shares = dict(one.refund_shares)
    for key, share in other.refund_shares.items():
        shares[key] = min(share, shares.get(key, share), key=_text_of)
    shares = {key: share for key, share in shares.items() if key in refunds}
    return msgspec.structs.replace(first, refunds=refunds, whole=one.whole or other.whole, refund_shares=shares)


def bounded_refunds(refunds: dict[str, int]) -> dict[str, int]:
    """Returns the refunds to keep of one order: those of the smallest hashes."""
    return refunds if len(refunds) <= MAX_REFUNDS else dict(sorted(refunds.items())[:MAX_REFUNDS])


def _text_of(state: Order | Share) -> tuple[int, bytes]:
    return state.timestamp_ms, _CANONICAL.encode(state)


def refunded_by_event(kept: Iterable[Orders]) -> dict[str, int]:
    """Returns the refunded minor units by the order's event id, over all ledgers of a profile."""
    joined: Orders = {}
    for orders in kept:
        if orders:
            joined = join_orders(joined, orders)
    return {
        order.event_id: order.refunded_minor for order in joined.values() if order.event_id and order.refunded_minor
    }
