"""Booking of orders, refunds and cancellations under the rules of the plan, using the order ids in a ledger."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from pipeline.profile.fields import Getter, getter
from pipeline.profile.journey.rules import OrderRules
from pipeline.profile.ledger import Ledger
from pipeline.profile.messages import Touch
from pipeline.profile.orders import Order, Share, keep_newest_orders, key_of_id
from pipeline.profile.ports import Booked, Booking

Role: TypeAlias = Literal["completed", "refunded", "cancelled"]
COMPLETED: Final = "completed"
ROLES: Final[tuple[Role, ...]] = (COMPLETED, "refunded", "cancelled")
Record: TypeAlias = Callable[[Ledger, Touch, list[str], Share], Booked]
"""Books an order under the rules that admit it. Appends the keys of the sums of money, and notes the order's share."""


class _Refund(NamedTuple):
    """The amount of a refund, and the aggregates to book it under."""

    taken_minor: int
    currency: str
    keys: tuple[str, ...] | None
    """None if the order is not in this ledger: the aggregates that would have summed the order."""


class OrderBooking:
    """Books the touches of one channel, type and name that are orders, refunds or cancellations."""

    def __init__(
        self,
        orders: OrderRules,
        role: Role,
        rules: Sequence[Booking],
        matching: Sequence[Booking],
        *,
        channel: str,
        kind: str,
        changed_bits: int = 0,
        record: Record | None = None,
    ) -> None:
        """``rules`` are all rules of the plan, ``matching`` those that admit the touches.

        ``changed_bits``: bits that every touch changes. ``record`` books an order that is not known yet; without it the
        rules are interpreted.
        """
        self._role, self._matching, self._changed_bits = role, tuple(matching), changed_bits
        self._record = record or partial(book_rules, self._matching)
        self._ids: list[Getter] = [getter(path) for path in orders.id]
        self._refund_ids: list[Getter] = [getter(path) for path in orders.refund_id]
        names = orders.completed.events
        self._money = [
            rule for rule in rules if rule.sums_money and any(rule.filter.admits(channel, kind, name) for name in names)
        ]
        self._by_key = {rule.sums_money: rule for rule in rules if rule.sums_money}

    def book(self, ledger: Ledger, touch: Touch) -> Booked:
        """Books a touch under the rules that admit it. Returns what the booking may change."""
        order_id = _first(self._ids, touch)
        run = self._complete if self._role == COMPLETED else self._take_back
        given, taken, changed_bits, _ = run(ledger, touch, order_id)
        return Booked(given, taken, changed_bits | self._changed_bits, key_of_id(order_id) if order_id else "")

    def _complete(self, ledger: Ledger, touch: Touch, order_id: str) -> Booked:
        if not order_id:
            return book_rules(self._matching, ledger, touch)
        key = key_of_id(order_id)
        known = ledger.orders.get(key)
        if known is not None and known.event_id:
            return book_rules(_unnamed(self._matching), ledger, touch)
        keys: list[str] = []
        share = Share(touch.timestamp_ms, touch.currency, {}, [])
        booked = self._record(ledger, touch, keys, share)
        early = known or Order(touch.timestamp_ms)
        early_minor = sum(early.refunds.values())
        order = Order(
            touch.timestamp_ms, touch.event_id, touch.amount_minor, touch.currency, early.refunds, early.whole, keys,
            share, early.refund_shares,
        )  # fmt: skip
        ledger.orders[key] = order
        keep_newest_orders(ledger.orders)
        if order.refunded_minor > early_minor:  # an earlier refund without an amount refunded everything
            refund = _Refund(order.refunded_minor - early_minor, touch.currency, tuple(keys))
            booked = _joined(booked, self._subtract(ledger, touch, refund, frozenset(), share))
        return booked

    def _take_back(self, ledger: Ledger, touch: Touch, order_id: str) -> Booked:
        rules = self._matching
        key = key_of_id(order_id) if order_id else None
        order = ledger.orders.get(key) if key is not None else None
        refund_hash = key_of_id(_first(self._refund_ids, touch) or touch.event_id)
        if order is not None and refund_hash in order.refunds:
            return book_rules(_unnamed(rules), ledger, touch)
        refund = _refund_of(order, touch)
        share = Share(touch.timestamp_ms, refund.currency, {}, [])
        if key is not None:
            ledger.orders[key] = _refunded(order, touch, refund, refund_hash, share)
            keep_newest_orders(ledger.orders)
        # a rule that admits both events books refunds by itself, as negative amounts
        both = frozenset(rule.sums_money for rule in rules if rule.sums_money and rule in self._money)
        shown_minor = abs(touch.amount_minor) if refund.keys is None else refund.taken_minor
        currency = touch.currency or refund.currency
        shown = msgspec.structs.replace(touch, amount_minor=shown_minor, currency=currency)
        booked = book_rules(
            [rule for rule in rules if rule.sums_money not in both or not both], ledger, shown, share=share
        )
        if both:
            booked = _joined(
                booked, book_rules([rule for rule in rules if rule.sums_money in both], ledger, touch, share=share)
            )
        return _joined(booked, self._subtract(ledger, touch, refund, both, share))

    def _subtract(self, ledger: Ledger, touch: Touch, refund: _Refund, but: frozenset[str], share: Share) -> Booked:
        if not refund.taken_minor:
            return Booked(0, 0, 0)
        share.taken_minor += refund.taken_minor
        back = msgspec.structs.replace(touch, amount_minor=-refund.taken_minor, currency=refund.currency)
        rules = self._money if refund.keys is None else [self._by_key[k] for k in refund.keys if k in self._by_key]
        changed_bits = 0
        for rule in rules:
            if rule.sums_money not in but:
                rule.book(ledger, back)
                rule.note(share, back)
                changed_bits |= rule.changed_bits
        return Booked(0, 0, changed_bits)


def _refund_of(order: Order | None, touch: Touch) -> _Refund:
    """Returns the refund of a touch: its amount, at most the rest of the order; the whole rest without an amount."""
    named_minor = abs(touch.amount_minor) if touch.currency else None
    if order is None or not order.event_id:
        return _Refund(named_minor or 0, touch.currency, None)
    if named_minor is not None and touch.currency != order.currency:
        return _Refund(named_minor, touch.currency, tuple(order.keys))
    taken_minor = order.left_minor if named_minor is None else min(named_minor, order.left_minor)
    return _Refund(taken_minor, order.currency, tuple(order.keys))


def _refunded(order: Order | None, touch: Touch, refund: _Refund, refund_hash: str, share: Share) -> Order:
    known = order or Order(touch.timestamp_ms, currency=refund.currency)
    minor = abs(touch.amount_minor) if touch.currency else refund.taken_minor
    refunded = msgspec.structs.replace(
        known,
        timestamp_ms=known.timestamp_ms if known.event_id else max(known.timestamp_ms, touch.timestamp_ms),
        currency=known.currency or refund.currency,
        whole=known.whole or not touch.currency,
    )
    refunded.keep_refund(refund_hash, minor if known.currency in {"", refund.currency} else 0, share)
    return refunded


def book_rules(
    rules: Iterable[Booking],
    ledger: Ledger,
    touch: Touch,
    keys: list[str] | None = None,
    share: Share | None = None,
) -> Booked:
    """Books a touch rule by rule.

    Appends to ``keys`` the keys of the sums of money, and notes in ``share`` what rules that name their events add.
    """
    given = taken = changed_bits = 0
    for rule in rules:
        if all(test(touch) for test in rule.tests):
            rule.book(ledger, touch)
            changed_bits |= rule.changed_bits
            given, taken = given + max(0, rule.points), taken + max(0, -rule.points)
            if keys is not None and rule.sums_money:
                keys.append(rule.sums_money)
            if share is not None and rule.filter.events:
                rule.note(share, touch)
    return Booked(given, taken, changed_bits)


def _joined(one: Booked, other: Booked) -> Booked:
    return Booked(one.given + other.given, one.taken + other.taken, one.changed_bits | other.changed_bits)


def _unnamed(rules: Iterable[Booking]) -> list[Booking]:
    """Returns the rules without event names. Only these count a repeated order: it is a touch, not another order."""
    return [rule for rule in rules if not rule.filter.events]


def _first(getters: Iterable[Getter], touch: Touch) -> str:
    for read in getters:
        value = read(touch)
        if type(value) in (str, int) and value != "":
            return str(value).strip()
    return ""
