"""Orders that several ledgers of one profile contain: the profile counts each once.

A shop may send one order under two anchors: from the browser and from the till. Each ledger counts it, because a ledger
knows only its own events. Once both ledgers belong to one customer, they are read as if the later event were a
repetition in the ledger of the earlier one. The ledgers themselves stay as they are, so a split counts both again.

Counts, sums, averages, quantiles, values with counts, purchases, points and conversions are corrected. Extremes, and
sets without counts, are those of all events.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from typing import Any, Final

import msgspec

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.buckets import TIERS, Cell, Cells, put, without
from pipeline.profile.journey.lines import fields_of
from pipeline.profile.kinds import kind_of
from pipeline.profile.kinds.kind import Kind
from pipeline.profile.kinds.purchases import PURCHASES
from pipeline.profile.ledger import Ledger
from pipeline.profile.occurrences import WEEK_MS, Occurrences
from pipeline.profile.orders import Order, Share, join_order

_WIDTHS_MS: Final = {"hours": HOUR_MS, "days": DAY_MS, "weeks": WEEK_MS}


def without_repeated_orders(ledgers: list[Ledger]) -> list[Ledger]:
    """Returns the ledgers, with copies of those that repeat an order of another one. Changes no ledger."""
    places: dict[str, list[int]] = {}
    for place, ledger in enumerate(ledgers):
        for key in ledger.orders:
            places.setdefault(key, []).append(place)
    repeated = {key: where for key, where in places.items() if len(where) > 1}
    if not repeated:
        return ledgers
    corrected = [_Corrected(ledger) for ledger in ledgers]
    for key, where in sorted(repeated.items()):
        _count_once([(corrected[place], ledgers[place].orders[key]) for place in where])
    return [item.ledger for item in corrected]


def repeats_order(key: str, own: Ledger, ledgers: Iterable[Ledger]) -> bool:
    """Returns whether another of the ledgers contains an order or a refund of it."""
    return any(key in ledger.orders for ledger in ledgers if ledger is not own)


class _Corrected:
    """A ledger as it is read. It is copied as far as it is corrected."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def take_out(self, share: Share) -> None:
        """Takes out what an event added."""
        ledger = self.ledger
        aggregates, occurrences = dict(ledger.aggregates), dict(ledger.occurrences)
        for key, cell in share.cells.items():
            if key in aggregates:
                aggregates[key] = _less_in_group(aggregates[key], kind_of(key.partition(":")[0]), cell, share)
        for name in share.occurrences:
            if name in occurrences:
                occurrences[name] = _less_one(occurrences[name], share.timestamp_ms)
        self.ledger = msgspec.structs.replace(ledger, aggregates=aggregates, occurrences=occurrences)

    def forget_conversion(self, event_id: str) -> None:
        """Drops the conversions of an event."""
        journey = self.ledger.journey
        if journey is not None:
            kept = [line for line in journey.conversions if fields_of(line)[1] != event_id]
            self.ledger = msgspec.structs.replace(
                self.ledger, journey=msgspec.structs.replace(journey, conversions=kept)
            )

    def take_back(self, keys: Iterable[str], minor: int, timestamp_ms: int, currency: str) -> None:
        """Books an amount that is refunded besides those in the ledger; a negative amount if they are too much."""
        aggregates = dict(self.ledger.aggregates)
        for key in keys:
            kind, cells = kind_of(key.partition(":")[0]), aggregates.get(key, {}).get(currency)
            if cells is not None:
                cell: Cell = [[timestamp_ms // DAY_MS, [-minor, 0]]] if kind is PURCHASES else -minor
                aggregates[key] = {**aggregates[key], currency: _with(cells, kind, cell, timestamp_ms)}
        self.ledger = msgspec.structs.replace(self.ledger, aggregates=aggregates)


def _count_once(states: Sequence[tuple[_Corrected, Order]]) -> None:
    """Corrects ledgers that contain one order: its earliest event counts, and each refund of it once."""
    known = [(corrected, order) for corrected, order in states if order.event_id]
    counted = min(known, key=lambda state: (state[1].timestamp_ms, state[1].event_id), default=None)
    for corrected, order in known:
        if counted is not None and order is not counted[1] and order.share is not None:
            corrected.take_out(order.share)
            corrected.forget_conversion(order.event_id)
    refunds: dict[str, Share] = {}
    for corrected, order in sorted(states, key=lambda state: _first_ms(state[1])):
        for key, share in sorted(order.refund_shares.items()):
            if key in refunds:
                corrected.take_out(share)
            else:
                refunds[key] = share
    if counted is not None and refunds:
        _settle(counted, reduce(join_order, [order for _, order in states]), refunds.values())


def _first_ms(order: Order) -> int:
    return min([order.timestamp_ms, *(share.timestamp_ms for share in order.refund_shares.values())])


def _settle(counted: tuple[_Corrected, Order], joined: Order, refunds: Collection[Share]) -> None:
    """Makes the refunded amounts sum to that of the whole order, as of the newest refund.

    They differ if a refund without an amount is in another ledger than the order, or if refunds in several ledgers
    exceed the order together.
    """
    corrected, order = counted
    taken_minor = sum(share.taken_minor for share in refunds if share.currency == order.currency)
    if order.share is not None:  # after an early refund of everything, the order's event took the rest
        taken_minor += order.share.taken_minor
    missing_minor = joined.refunded_minor - taken_minor
    if missing_minor:
        newest_ms = max(share.timestamp_ms for share in refunds)
        corrected.take_back(order.keys, missing_minor, newest_ms, order.currency)


def _less_in_group(groups: dict[str, Cells], kind: Kind, cell: Cell, share: Share) -> dict[str, Cells]:
    group = share.currency if share.currency in groups else ""
    if kind.subtract is None or group not in groups:
        return groups
    cells, subtract = groups[group], kind.subtract
    total = subtract(cells.total, cell)
    if total is None:
        return {name: kept for name, kept in groups.items() if name != group}
    tiers = [without(getattr(cells, t.field), share.timestamp_ms // t.width_ms, cell, subtract) for t in TIERS]
    return {**groups, group: Cells(total, *tiers)}


def _with(cells: Cells, kind: Kind, cell: Cell, timestamp_ms: int) -> Cells:
    copied: Cells = msgspec.msgpack.decode(msgspec.msgpack.encode(cells), type=Cells)
    copied.total = kind.add(copied.total, cell)
    for tier in TIERS:
        series: Any = getattr(copied, tier.field)
        if series is not None:
            put(series, timestamp_ms // tier.width_ms, tier.keep, cell, kind.add)
    return copied


def _less_one(occurrences: Occurrences, timestamp_ms: int) -> Occurrences:
    series = {
        field: without(getattr(occurrences, field), timestamp_ms // width_ms, 1, lambda a, b: a - b or None)
        for field, width_ms in _WIDTHS_MS.items()
    }
    return Occurrences(occurrences.total - 1, **series)
