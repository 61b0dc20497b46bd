"""Orders and arrivals in ledgers are commutative monoids, and refunds never exceed the order."""

from functools import reduce
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.profile.apply import apply_touch
from pipeline.profile.journey.attribution import attribution_of
from pipeline.profile.ledger import Ledger, encode_ledger, merge
from pipeline.profile.repeated_orders import without_repeated_orders
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.testing.build import START_MS, touch

SHIPPED = load_rules()
PLAN = compiled(SHIPPED).plan
MINUTE_MS = 60_000
NAMES = st.sampled_from(["Order Completed", "order_completed", "Order Refunded", "order_cancelled", "product_viewed"])
EVENTS = st.lists(
    st.tuples(NAMES, st.integers(0, 90), st.integers(0, 2), st.none() | st.integers(1, 50), st.integers(0, 2)),
    max_size=12,
)


def booked(events, parts=1):
    """The ledgers of the events, dealt out to so many anchors."""
    ledgers = [Ledger() for _ in range(parts)]
    for number, (name, minute, order_id, amount, campaign) in enumerate(events):
        money = {} if amount is None else {"amount_minor": amount, "currency": "EUR"}
        context = {"campaign": {"name": f"c{campaign}"}} if campaign else {}
        sent = touch(
            f"user_id:{number % parts}", event_id=f"web/m{number:02}", name=name, context=context,
            timestamp_ms=START_MS + minute * MINUTE_MS, properties={"order_id": f"o{order_id}"}, **money,
        )  # fmt: skip
        apply_touch(PLAN, ledgers[number % parts], sent)
    return ledgers


@given(EVENTS)
def test_ledgers_with_orders_merge_in_any_order_to_the_same_bytes(events):
    ledgers = booked(events, parts=3)
    merged = {encode_ledger(reduce(merge, order)) for order in permutations(ledgers)}
    first, second, third = ledgers
    merged.add(encode_ledger(merge(first, merge(second, third))))
    assert len(merged) == 1


@given(EVENTS)
def test_refunds_take_back_at_most_what_orders_were_worth(events):
    (ledger,) = booked(events)
    for order in ledger.orders.values():
        assert 0 <= order.refunded_minor <= max(0, order.amount_minor)
    for converted in attribution_of([ledger], SHIPPED.journeys.attribution):
        assert converted.value_minor >= 0
        assert converted.value_minor + converted.refunded_minor >= converted.refunded_minor


@given(EVENTS)
def test_an_order_id_counts_once_in_one_ledger(events):
    (ledger,) = booked(events)
    known = {order_id for name, _, order_id, _, _ in events if "ompleted" in name}
    counted = ledger.aggregates.get("count:orders", {})
    assert (counted[""].total if counted else 0) == len(known)


@given(EVENTS)
def test_arrivals_are_the_same_in_every_order_of_booking(events):
    (ledger,) = booked(events)
    (backwards,) = (reduce(merge, booked(events, parts=max(1, len(events)))[::-1], Ledger()),)
    mine, theirs = ledger.journey, backwards.journey
    assert (mine.touches if mine else []) == (theirs.touches if theirs else [])


ORDERS = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 2), st.integers(0, 2), st.integers(1, 50)), max_size=6)
REFUNDS = st.lists(
    st.tuples(
        st.integers(100, 190), st.integers(0, 2), st.integers(0, 2), st.none() | st.integers(1, 50), st.integers(0, 2)
    ),
    max_size=6,
)
"""(minute, place of the anchor, order id, amount in minor units, and for refunds their id)."""


def dealt(orders, refunds):
    """The ledgers of three anchors, each with its events in the order of time."""
    ledgers = [Ledger() for _ in range(3)]
    for number, (minute, place, order_id, amount) in enumerate(sorted(orders)):
        _send(ledgers[place], place, f"o{number:02}", minute, "order_completed", amount, {"order_id": f"o{order_id}"})
    for number, (minute, place, order_id, amount, refund_id) in enumerate(sorted(refunds, key=repr)):
        ids = {"order_id": f"o{order_id}", "refund_id": f"r{refund_id}"}
        _send(ledgers[place], place, f"r{number:02}", minute, "order_refunded", amount, ids)
    return ledgers


def _send(ledger, place, name, minute, event, amount, properties):
    money = {} if amount is None else {"amount_minor": amount, "currency": "EUR"}
    at_ms = START_MS + minute * MINUTE_MS
    sent = touch(
        f"user_id:{place}", event_id=f"web/{name}", name=event, timestamp_ms=at_ms, properties=properties, **money
    )
    apply_touch(PLAN, ledger, sent)


def spent_naively(orders, refunds):
    """What the orders are worth if each id is one order and each refund id of it one refund, of at most its rest."""
    left = {}
    for _, _, order_id, amount in sorted(orders):
        left.setdefault(order_id, amount)
    for order_id, worth in left.items():
        amounts = {}
        for _, _, of, amount, refund_id in refunds:
            if of == order_id:
                amounts.setdefault(refund_id, set()).add(worth if amount is None else amount)
        left[order_id] = max(0, worth - sum(max(named) for named in amounts.values()))
    return left


def _lifetime(ledgers, key, group):
    return [ledger.aggregates[key][group].total for ledger in ledgers if group in ledger.aggregates.get(key, {})]


@given(ORDERS, REFUNDS)
def test_an_order_in_several_ledgers_counts_once(orders, refunds):
    known = {order_id for _, _, order_id, _ in orders}
    named = {}
    for _, _, order_id, amount, refund_id in refunds:  # one refund id means one amount
        named.setdefault((order_id, refund_id), amount)
    refunds = [(*rest, order_id, named[order_id, r], r) for *rest, order_id, _, r in refunds if order_id in known]
    ledgers = dealt(orders, refunds)
    before = [encode_ledger(ledger) for ledger in ledgers]
    result = without_repeated_orders(ledgers)
    assert [encode_ledger(ledger) for ledger in ledgers] == before, "ledgers are read, not changed"
    left = spent_naively(orders, refunds)
    assert sum(_lifetime(result, "count:orders", "")) == len(left)
    assert sum(_lifetime(result, "sum:spent", "EUR")) == sum(left.values())
    assert sum(item.total for ledger in result for item in ledger.occurrences.values() if item) >= len(left)
    converted = attribution_of(result, SHIPPED.journeys.attribution)
    assert sorted(item.value_minor for item in converted) == sorted(left.values())
    for ledger in result:
        for cells in (cells for groups in ledger.aggregates.values() for cells in groups.values()):
            for series in (cells.minutes, cells.hours, cells.days):
                assert series is None or (series.at and len(series.at) == len(series.cells))
