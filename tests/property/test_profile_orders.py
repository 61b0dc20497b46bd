"""Orders and arrivals in ledgers are commutative monoids, and refunds never exceed the order."""

from functools import reduce
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.profile.apply import apply_touch
from pipeline.profile.journey.attribution import attribution_of
from pipeline.profile.ledger import Ledger, encode_ledger, merge
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
