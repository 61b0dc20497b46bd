"""Carts and journeys equal an independent fold over the touches, for every order and division into ledgers."""

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.event.duration import DAY_MS, HOUR_MS, MINUTE_MS
from pipeline.profile.apply import apply_touch
from pipeline.profile.booking import Plan
from pipeline.profile.filter import Filter
from pipeline.profile.journey.attribution import attribution_of, costs_of
from pipeline.profile.journey.booking import journey_bookings
from pipeline.profile.journey.cart import FOREVER, cart_of, cart_state_of
from pipeline.profile.journey.credit import MODELS, WHOLE, distribute
from pipeline.profile.journey.kept import ITEM_LINES, CartLog, Journey
from pipeline.profile.journey.lines import fields_of
from pipeline.profile.journey.rules import AttributionRules, CartRules, Conversion, JourneyRules
from pipeline.profile.ledger import Ledger, encode_ledger, merge
from pipeline.profile.messages import Touch
from tests.property.profile_histories import ANCHORS, START_MS, touch

CARTS = CartRules(
    added=Filter(events=("add",)), removed=Filter(events=("take",)), bought=Filter(events=("buy",)),
    abandoned_after_ms=4 * HOUR_MS,
)  # fmt: skip
RULES = AttributionRules(conversions=(Conversion(name="order", filter=Filter(events=("buy",))),))
PLAN = Plan((), (), journey_bookings(JourneyRules(carts=CARTS, attribution=RULES)))
SKUS = ("K", "L", "M")
_STEP = st.tuples(st.sampled_from(("add", "add", "add", "take", "buy", "ad")), st.integers(0, 2**20))


def shopper(steps: list[tuple[str, int]], pace_ms: int) -> list[Touch]:
    """What a number stands for: a product, pieces, a price, a pause or none, which of three ledgers it is booked in."""
    at, made = 0, []
    for number, (name, bits) in enumerate(steps):
        rest, sku = divmod(bits, len(SKUS))
        rest, pieces = divmod(rest, 4)
        rest, price = divmod(rest, 5)
        rest, pause = divmod(rest, 4)
        at += pause * pace_ms
        anchor = ANCHORS[rest % len(ANCHORS)]
        properties: dict[str, Any] = {"sku": SKUS[sku], "price": price + 0.99, "currency": "EUR"}
        if pieces:
            properties["quantity"] = pieces
        more: dict[str, Any] = {"channel": "ads", "properties": {"campaign": SKUS[sku], "cost": price / 100}}
        if name != "ad":
            more = {"properties": properties}
        if name == "buy":
            more |= {"amount_minor": price * 101, "currency": "EUR"}
        made.append(touch(number, at, anchor, name=name, **more))
    return made


def shoppers(limit: int) -> st.SearchStrategy[list[Touch]]:
    paces = st.sampled_from((MINUTE_MS, HOUR_MS, DAY_MS))
    return st.builds(shopper, st.lists(_STEP, max_size=limit), paces)


def by_anchor(history: list[Touch]) -> list[Ledger]:
    ledgers = {anchor: Ledger() for anchor in ANCHORS}
    for item in history:
        apply_touch(PLAN, ledgers[item.anchor], item)
    return list(ledgers.values())


def place(item: Touch) -> tuple[int, str]:
    return item.timestamp_ms, item.event_id


def kept(history: list[Touch]) -> tuple[CartLog, Journey]:
    """The documented bounds, spelt out over the set of touches of one ledger."""
    bought = max((place(t) for t in history if t.name == "buy"), default=(0, ""))
    items = sorted(place(t) for t in history if t.name in {"add", "take"} and place(t) > bought)[-50:]
    ads = sorted(place(t) for t in history if t.channel == "ads")
    ends = ads if len(ads) <= 50 else ads[:10] + ads[-40:]
    orders = sorted(place(t) for t in history if t.name == "buy")[-20:]
    return bought, items, ends, orders  # type: ignore[return-value]


def found(ledger: Ledger) -> Any:
    cart, journey = ledger.cart or CartLog(), ledger.journey or Journey()

    def places(lines: list[str]) -> list[tuple[int, str]]:
        return [(int(at), event_id) for at, event_id, *_ in map(fields_of, lines)]

    (bought,) = places([cart.bought]) if cart.bought else [(0, "")]
    return (bought[0], bought[1].rstrip()), places(cart.lines), places(journey.touches), places(journey.conversions)


@settings(max_examples=80)
@given(data=st.data())
def test_what_is_kept_of_a_long_history_depends_on_the_set_of_its_events_alone(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(("add", "ad", "buy")))
    usual = st.tuples(st.sampled_from((*([name] * 12), "add", "buy", "ad")), st.integers(0, 2**20))
    steps = data.draw(st.lists(usual, min_size=30, max_size=140))
    history = shopper(steps, MINUTE_MS)
    for item in history:
        item.anchor = ANCHORS[0]
    shuffled = data.draw(st.permutations(history))
    cut = data.draw(st.integers(0, len(history)))
    whole, _, _ = by_anchor(shuffled)
    assert found(whole) == kept(history)
    halves = [by_anchor(part)[0] for part in (shuffled[:cut], shuffled[cut:])]
    assert encode_ledger(merge(*halves)) == encode_ledger(whole)


def naive_cart(history: list[Touch]) -> tuple[dict[str, int], int, int]:
    """Pieces by product, since when, and when last changed."""
    pieces: dict[str, int] = {}
    since_ms = updated_ms = 0
    for item in sorted(history, key=place):
        sku = item.properties.get("sku", "")
        if item.name == "buy":
            pieces = {}
        elif item.name == "add":
            since_ms = since_ms if pieces else item.timestamp_ms
            pieces[sku] = pieces.get(sku, 0) + item.properties.get("quantity", 1)
        elif item.name == "take" and sku in pieces:
            pieces[sku] -= item.properties.get("quantity", pieces[sku])
        pieces = {sku: count for sku, count in pieces.items() if count > 0}
        if item.name in {"add", "take"}:
            updated_ms = item.timestamp_ms
    return pieces, since_ms, updated_ms


@given(history=shoppers(ITEM_LINES), later_ms=st.integers(0, 6 * HOUR_MS))
def test_a_cart_over_several_ledgers_is_what_was_put_in_and_not_taken_out_since_the_purchase(
    history: list[Touch], later_ms: int
) -> None:
    newest_ms = max((t.timestamp_ms for t in history), default=START_MS)
    cart = cart_of(by_anchor(history), CARTS, newest_ms + later_ms)
    pieces, since_ms, updated_ms = naive_cart(history)
    assert {item.id: item.quantity for item in cart.items} == pieces
    assert cart.amounts_minor == ({"EUR": sum(i.quantity * i.price_minor for i in cart.items)} if pieces else {})
    assert (cart.since_ms, cart.updated_ms) == ((since_ms, updated_ms) if pieces else (0, 0))
    due_ms = updated_ms + CARTS.abandoned_after_ms if pieces else FOREVER
    is_over = due_ms <= newest_ms + later_ms
    status = "none" if not pieces else "abandoned" if is_over else "open"
    state = cart_state_of(by_anchor(history), CARTS, newest_ms + later_ms)
    assert state == (cart.status, cart.due_ms) == (status, FOREVER if is_over else due_ms)


@given(history=shoppers(30))
def test_a_cart_is_abandoned_at_its_due_time_and_not_a_millisecond_before(history: list[Touch]) -> None:
    ledgers, newest_ms = by_anchor(history), max((t.timestamp_ms for t in history), default=START_MS)
    cart = cart_of(ledgers, CARTS, newest_ms)
    if cart.due_ms == FOREVER:
        assert cart.status in {"none", "abandoned"}
        assert cart_of(ledgers, CARTS, newest_ms + 99 * DAY_MS)[1:] == cart[1:]
    else:
        assert cart.due_ms == cart.updated_ms + CARTS.abandoned_after_ms > newest_ms
        assert cart_of(ledgers, CARTS, cart.due_ms - 1) == cart
        assert cart_of(ledgers, CARTS, cart.due_ms) == cart._replace(status="abandoned", due_ms=FOREVER)


@given(whole=st.integers(-(10**15), 10**15), weights=st.lists(st.integers(0, 2**40), min_size=1, max_size=50))
def test_parts_sum_to_the_whole_and_are_within_one_of_their_share(whole: int, weights: list[int]) -> None:
    weights[0] += 1
    parts = distribute(whole, weights)
    assert sum(parts) == whole
    total = sum(weights)
    assert all(abs(part * total - whole * weight) < total for part, weight in zip(parts, weights, strict=True))


@given(history=shoppers(40))
def test_credit_and_value_of_every_conversion_sum_exactly_under_every_model(history: list[Touch]) -> None:
    ledgers = by_anchor(history)
    converted = attribution_of(ledgers, RULES)
    orders = sorted((t for t in history if t.name == "buy"), key=place)
    assert [(item.timestamp_ms, item.event_id, item.value_minor) for item in converted] == [
        (t.timestamp_ms, t.event_id, t.amount_minor) for t in orders
    ]
    ads = sorted((t for t in history if t.channel == "ads"), key=place)
    for item in converted:
        way = [t for t in ads if place(t) <= item[1:3] and t.timestamp_ms > item.timestamp_ms - 90 * DAY_MS]
        assert [credited.touch.campaign for credited in item.journey] == [t.properties["campaign"] for t in way]
        for model in MODELS if way else ():
            shares = [credited.credit[model] for credited in item.journey]
            assert sum(shares) == WHOLE
            assert sum(credited.value_minor[model] for credited in item.journey) == item.value_minor
        if way:
            linear = [credited.credit["linear"] for credited in item.journey]
            assert max(linear) - min(linear) <= 1
            assert (item.journey[0].credit["first"], item.journey[-1].credit["last"]) == (WHOLE, WHOLE)
            decay = [credited.credit["time_decay"] for credited in item.journey]
            assert all(one <= other + 1 for one, other in pairwise(decay))
    spent = sum(round(t.properties["cost"] * 1_000_000) for t in ads)
    assert sum(cost.micros for cost in costs_of(ledgers)) == spent


@given(history=shoppers(40))
def test_a_journey_over_many_ledgers_equals_the_journey_of_one(history: list[Touch]) -> None:
    apart = by_anchor(history)
    together = merge(merge(*by_anchor(history)[:2]), by_anchor(history)[2])
    assert attribution_of(apart, RULES) == attribution_of([together], RULES)
    assert costs_of(apart) == costs_of([together])
    assert cart_of(apart, CARTS, START_MS + 999 * DAY_MS) == cart_of([together], CARTS, START_MS + 999 * DAY_MS)
