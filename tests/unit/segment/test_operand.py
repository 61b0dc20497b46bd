"""Operands for sessions, purchases, top values, ratios, carts and grades: values and due times."""

import pytest

from pipeline.condition.due import FOREVER
from pipeline.event.duration import DAY_MS, HOUR_MS, MINUTE_MS
from pipeline.profile.apply import apply_touch
from pipeline.profile.booking import Plan
from pipeline.profile.filter import Condition, Filter
from pipeline.profile.journey.booking import journey_bookings
from pipeline.profile.journey.rules import CartRules, JourneyRules
from pipeline.profile.kinds import KINDS
from pipeline.profile.ledger import Ledger
from pipeline.profile.messages import Touch
from pipeline.profile.rules import AggregateRule, AggregateRules, Ratio
from pipeline.score.rules import FitRule, Grades, ScoreRule, ScoreRules
from pipeline.score.scorer import Scores
from pipeline.segment.rules import SegmentRule, SegmentRules
from pipeline.segment.segments import SegmentError, Segments
from pipeline.segment.vocabulary import Vocabulary
from tests.property.profile_histories import EVERY_KIND
from tests.unit.segment.test_segments import START_MS, bought, touch

BUY, GAP_MS = Filter(events=("buy",)), 30 * MINUTE_MS
AGGREGATES = AggregateRules(
    aggregates=(
        AggregateRule(name="visits", kind="sessions", windows=("24h", "30d")),
        AggregateRule(name="bought", kind="purchases", field="amount", filter=BUY),
        AggregateRule(name="since_buy", kind="time_since", filter=BUY),
        AggregateRule(name="top", kind="top", field="properties.category", windows=("30d", "lifetime")),
        AggregateRule(name="basket", kind="quantiles", field="amount"),
        AggregateRule(name="first_amount", kind="first", field="amount"),
        AggregateRule(name="views", windows=("24h", "lifetime")),
        AggregateRule(name="buys", filter=BUY, windows=("24h", "7d", "lifetime")),
        AggregateRule(name="spent", kind="sum", field="amount", filter=BUY, windows=("24h", "lifetime")),
        AggregateRule(name="weight", kind="sum", field="properties.weight", windows=("24h", "lifetime")),
    ),
    ratios=(
        Ratio(name="buy_rate", of="buys", to="views"),
        Ratio(name="order_value", of="spent", to="buys"),
        Ratio(name="orders_by_money", of="buys", to="spent"),
        Ratio(name="mean_weight", of="weight", to="views"),
    ),
)
SCORES = ScoreRules(
    scores=(ScoreRule(name="look", points=10, filter=Filter(events=("look",)), half_life_ms=DAY_MS),),
    fit=(FitRule(name="vip", points=60, where=(Condition(field="traits.vip", eq=True),)),),
    grades=Grades(letters=(50, 20, 10), digits=(15, 9, 4)),
)
JOURNEYS = JourneyRules(
    carts=CartRules(added=Filter(events=("add",)), removed=Filter(events=("remove",)), bought=BUY)
)  # fmt: skip
PLAN = Plan(AGGREGATES.aggregates, Scores(SCORES).counted, journey_bookings(JOURNEYS))


def ledger(*touches: Touch) -> Ledger:
    result = Ledger()
    for item in touches:
        apply_touch(PLAN, result, item)
    return result


def added(at_ms: int, product: str, price: float, quantity: int = 1) -> Touch:
    what = {"product_id": product, "price": price, "quantity": quantity, "currency": "EUR"}
    return touch(at_ms, "add", properties=what, currency="EUR")


def segments(when: str, scores: ScoreRules = SCORES, journeys: JourneyRules = JOURNEYS) -> Segments:
    rules = SegmentRules(segments=(SegmentRule(name="tried", when=when),))
    return Segments(rules, AGGREGATES, scores, journeys=journeys)


def standing(when: str, ledgers: list[Ledger], as_of_ms: int) -> tuple[bool, int]:
    return segments(when).evaluate(ledgers, as_of_ms)["tried"][:2]


def holds(when: str, *ledgers: Ledger, as_of_ms: int = START_MS) -> bool:
    return standing(when, list(ledgers), as_of_ms)[0]


def keys(*path: str) -> frozenset[str]:
    return Vocabulary(AGGREGATES, SCORES, journeys=JOURNEYS).resolve(path, None).keys


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_aggregate_has_an_operand(kind: str):
    rule = next(rule for rule in EVERY_KIND if rule.kind == kind)
    parts = {"sessions": ("open",), "purchases": ("EUR", "orders"), "quantiles": ("p50",)}.get(kind, ())
    over = None if KINDS[kind].for_ever else "30 d"
    vocabulary = Vocabulary(AggregateRules(aggregates=EVERY_KIND), ScoreRules())
    assert vocabulary.resolve((rule.name, *parts), over).keys == {rule.key}


def test_sessions_are_counted_and_measured_over_all_ledgers():
    web = ledger(touch(START_MS), touch(START_MS + 10 * MINUTE_MS), touch(START_MS + 3 * HOUR_MS))
    app = ledger(touch(START_MS + 20 * MINUTE_MS))
    now = START_MS + 3 * HOUR_MS
    requested = "visits.sessions over 24 h = 2 and visits.events over 24 h = 4 and visits.bounced over 24 h = 1"
    assert holds(requested, web, app, as_of_ms=now)
    assert holds("visits.duration over 24 h = 20 min and visits.longest over 24 h = 20 min", web, app, as_of_ms=now)
    assert holds("visits.last_start over 24 h < 1 min and visits.last_end over 24 h < 1 min", web, app, as_of_ms=now)
    assert holds("visits.sessions over 24 h = 0 and visits.last_end over 24 h is unknown and not visits.open over 24 h")


def test_sessions_leave_their_window_bucket_by_bucket():
    result = [ledger(touch(START_MS), touch(START_MS + 2 * HOUR_MS))]
    now = START_MS + 2 * HOUR_MS
    assert standing("visits.sessions over 24 h >= 2", result, now) == (True, START_MS + DAY_MS)
    assert standing("visits.sessions over 24 h >= 1", result, now) == (True, START_MS + 26 * HOUR_MS)
    assert standing("visits.longest over 24 h > 1 min", result, now) == (False, FOREVER)


def test_a_session_is_open_until_nothing_has_come_for_longer_than_the_gap():
    result, now = [ledger(touch(START_MS), touch(START_MS + HOUR_MS))], START_MS + HOUR_MS
    assert standing("visits.open over 24 h", result, now) == (True, now + GAP_MS + 1)
    assert standing("visits.open over 24 h", result, now + GAP_MS) == (True, now + GAP_MS + 1)
    assert standing("visits.open over 24 h = false", result, now) == (False, now + GAP_MS + 1)
    assert standing("visits.open over 24 h", result, now + GAP_MS + 1) == (False, FOREVER)


def test_a_session_is_over_when_its_window_lets_go_of_it_if_that_comes_first():
    rule = AggregateRule(name="brief", kind="sessions", windows=("5m",))
    rules = SegmentRules(segments=(SegmentRule(name="tried", when="brief.open over 5 min"),))
    result = Ledger()
    apply_touch(Plan((rule,), ()), result, touch(START_MS + 1_000))
    made = Segments(rules, AggregateRules(aggregates=(rule,)), ScoreRules())
    assert made.evaluate([result], START_MS + 1_000)["tried"][:2] == (True, START_MS + 5 * MINUTE_MS)
    assert made.evaluate([result], START_MS + 5 * MINUTE_MS)["tried"][:2] == (False, FOREVER)


def test_purchases_are_read_by_currency():
    result = ledger(
        bought(START_MS, 5_000), bought(START_MS + HOUR_MS, 1_000), bought(START_MS + 3 * DAY_MS, 2_550),
        bought(START_MS, -700, "USD"),
    )  # fmt: skip
    now = START_MS + 3 * DAY_MS
    requested = (
        "bought.EUR.orders = 3 and bought.EUR.days = 2 and bought.EUR.total = 85.5 and bought.EUR.repeat = 25.50"
    )
    assert standing(requested, [result], now) == (True, FOREVER)
    assert holds("bought.USD.orders = 0 and bought.USD.total = 0 and bought.USD.last_day is unknown", result)
    assert holds("bought.GBP.days = 0 and bought.GBP.first_day is unknown", result)
    assert standing("bought.EUR.last_day >= 10 d", [result], now) == (False, START_MS + 13 * DAY_MS)
    assert standing("bought.EUR.first_day >= 10 d", [result], now) == (False, START_MS + 10 * DAY_MS)


def test_time_since_is_how_long_ago_the_newest_was():
    result = [ledger(bought(START_MS, 1))]
    assert standing("since_buy > 31 d", result, START_MS) == (False, START_MS + 31 * DAY_MS + 1)
    assert holds("since_buy is unknown", ledger(touch(START_MS)))


def test_the_most_frequent_values_are_a_list():
    seen = [touch(START_MS + day * DAY_MS, properties={"category": name}) for day, name in enumerate(("shoes", "hats"))]
    result, now = [ledger(*seen)], START_MS + DAY_MS
    assert standing('top over 30 d contains "shoes"', result, now) == (True, START_MS + 30 * DAY_MS)
    assert standing('top contains "shoes" and top contains "hats"', result, now) == (True, FOREVER)
    assert holds('not top contains "shoes" and top is known')


def test_quantiles_and_ends_of_money_are_compared_in_units():
    result = ledger(bought(START_MS, 2_000))
    assert holds("basket.EUR.p50 > 19.70 and basket.EUR.p50 < 20.30 and basket.USD.p50 is unknown", result)
    assert holds("first_amount.EUR = 20", result)


def test_a_ratio_is_unknown_where_there_is_nothing_to_divide_by():
    assert holds("buy_rate is unknown and order_value.EUR is unknown and orders_by_money.EUR is unknown")
    result = ledger(touch(START_MS, properties={"weight": 1.5}), bought(START_MS, 5_001), bought(START_MS, 5_000))
    assert holds("buy_rate >= 0.66 and buy_rate < 0.67 and order_value.EUR = 50.005", result)
    assert holds("orders_by_money.EUR < 0.02 and orders_by_money.EUR > 0.0199 and order_value.USD = 0", result)
    assert holds("mean_weight = 0.5", result)


def test_a_ratio_moves_as_either_side_leaves_the_window():
    result = [ledger(touch(START_MS), bought(START_MS + 2 * HOUR_MS, 100), touch(START_MS + 4 * HOUR_MS))]
    now = START_MS + 4 * HOUR_MS
    assert standing("buy_rate over 24 h > 0.4", result, now) == (False, START_MS + 24 * HOUR_MS)
    assert standing("buy_rate over 24 h > 0.9", result, now) == (False, FOREVER)
    assert standing("buy_rate over 24 h = 0", result, now) == (False, START_MS + 26 * HOUR_MS)
    assert standing("buy_rate over 24 h is known", result, now) == (True, START_MS + 28 * HOUR_MS)
    assert standing("buy_rate > 0.3", result, now) == (True, FOREVER)
    assert keys("buy_rate") == {"count:buys", "count:views"}


def test_a_cart_is_open_and_then_abandoned_without_an_event():
    result, left_ms = [ledger(added(START_MS, "a", 10), added(START_MS + HOUR_MS, "b", 2.5, 4))], START_MS + HOUR_MS
    due_ms = left_ms + 4 * HOUR_MS
    assert standing('cart.status = "abandoned"', result, left_ms) == (False, due_ms)
    assert standing('cart.status = "open"', result, due_ms - 1) == (True, due_ms)
    assert standing('cart.status in ["open", "abandoned"]', result, left_ms) == (True, FOREVER)
    assert standing('cart.status = "abandoned"', result, due_ms) == (True, FOREVER)
    assert standing('cart.status = "none"', [], START_MS) == (True, FOREVER)
    assert keys("cart", "status") == keys("cart", "items") == keys("cart", "amount", "EUR") == {"cart"}


def test_the_cart_is_read_as_products_and_amounts_by_currency():
    result = ledger(added(START_MS, "a", 10), added(START_MS + HOUR_MS, "b", 2.5, 4))
    now = START_MS + HOUR_MS
    assert standing("cart.items = 2 and cart.amount.EUR >= 20 and cart.amount.USD = 0", [result], now) == (
        True,
        FOREVER,
    )
    assert standing("cart.updated > 2 h", [result], now) == (False, now + 2 * HOUR_MS + 1)
    assert standing("cart.since >= 2 h", [result], now) == (False, START_MS + 2 * HOUR_MS)
    assert holds("cart.items = 0 and cart.amount.EUR = 0 and cart.since is unknown and cart.updated is unknown")
    emptied = ledger(added(START_MS, "a", 10), bought(START_MS + 1, 1_000))
    assert holds('cart.status = "none" and cart.items = 0 and cart.updated is unknown', emptied, as_of_ms=START_MS + 1)


def test_a_grade_combines_fit_and_engagement_in_conditions():
    warm, vip = ledger(touch(START_MS)), ledger(touch(START_MS, "other", traits={"vip": True}))
    assert holds('grade = "D2" and grade contains "2" and grade > "C"', warm)
    assert holds('grade = "A4" and grade in ["A1", "A4"]', vip)
    assert holds('grade = "A2"', warm, vip)
    assert keys("grade") == keys("score", "fit") | keys("score", "engagement")
    assert "traits" in keys("grade")


def test_a_grade_is_due_before_a_score_crosses_a_step():
    result = [ledger(touch(START_MS), touch(START_MS))]
    current, due_ms = standing('grade = "D1"', result, START_MS)
    assert current
    assert START_MS < due_ms <= START_MS + DAY_MS
    requested, at_ms = segments('grade = "D1"'), START_MS
    while current:
        before_ms, at_ms = at_ms, due_ms
        assert before_ms < at_ms
        assert requested.holds("tried", result, at_ms - 1)
        current, due_ms, _ = requested.evaluate(result, at_ms)["tried"]
    assert standing('grade = "A1"', [], START_MS) == (False, FOREVER)


WRONG = [
    ("visits.sessions > 1", "visits is not kept for a lifetime", "write visits over one of 1 d, 30 d"),
    ("visits over 24 h > 1", "visits has the parts sessions, events", "write visits.sessions, for example"),
    ("visits.length over 24 h > 1", "one of which must be named", "write visits.sessions"),
    ("visits.duration over 24 h > 5", "a span of time", "as in 5 d"),
    ("visits.open over 24 h = 1", "true or false", "= true"),
    ("bought > 1", "bought is money, which is kept by currency", "write bought.EUR.orders, for example"),
    ("bought.EUR > 1", "bought.EUR has the parts orders, days", "write bought.EUR.orders"),
    ("bought.EUR.orders over 30 d > 1", "bought is of kind purchases, which is kept for a lifetime only", "over 30 d"),
    ("bought.EUR.total > 1.234", "1.234 EUR is no amount", "round it"),
    ("since_buy.days > 1 d", "since_buy is a span of time and has no days", "write since_buy"),
    ("buy_rate.EUR > 1", "buy_rate is a number and has no EUR", "write buy_rate"),
    ("buy_rate over 30 d > 1", "buys is not kept in buckets that 30 d could be read from", "it is kept over 1 d, 7 d"),
    ("order_value > 1", "order_value is money", "write order_value.EUR"),
    ("buy_rate = 'x'", "a number and cannot be compared with a text", "without quotes"),
    ("buy_rat > 1", "there is no buy_rat", "did you mean buy_rate?"),
    ("cart is known", "cart needs the name of an attribute", "amount.EUR, items, since, status or updated"),
    ("cart.stat is known", "cart has no stat", "did you mean status?"),
    ("cart.status.x is known", "cart.status is a text and has no x", "write cart.status"),
    ("cart.status = 'left'", "a cart is never 'left'", "abandoned, none or open"),
    ("cart.status over 5 d = 'open'", "not kept over windows", "without over 5 d"),
    ("cart.amount > 5", "cart.amount is money", "write cart.amount.EUR"),
    ("cart.amount.EUR.x > 5", "cart.amount.EUR is a number and has no x", "write cart.amount.EUR"),
    ("cart.amount.EUR > 0.001", "0.001 EUR is no amount", "round it"),
    ("grade.fit = 'A1'", "grade is a text and has no fit", "write grade"),
    ("grade = 'E1'", "'E1' is no grade", "as in A1"),
]  # fmt: skip


@pytest.mark.parametrize(("when", "message", "instead"), WRONG, ids=[case[0] for case in WRONG])
def test_what_means_nothing_is_refused_with_advice(when: str, message: str, instead: str):
    with pytest.raises(SegmentError) as caught:
        segments(when)
    assert message in caught.value.error.message
    assert instead in caught.value.error.instead


def test_names_of_undeclared_rules_are_refused():
    with pytest.raises(SegmentError, match=r"the rules declare no carts; add carts to journeys\.yaml"):
        segments("cart.items > 1", journeys=JourneyRules())
    with pytest.raises(SegmentError, match=r"the rules declare no grades; add grades to scores\.yaml"):
        segments('grade = "A1"', ScoreRules())
