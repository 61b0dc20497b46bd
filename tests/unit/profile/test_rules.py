from typing import Any

import pytest

from pipeline.event.duration import parse_duration
from pipeline.profile.booking import Plan
from pipeline.profile.fields import getter
from pipeline.profile.filter import Condition, Filter
from pipeline.profile.ledger import Ledger
from pipeline.profile.rule_booking import CountedRule
from pipeline.profile.rules import AggregateRule, AggregateRules
from pipeline.profile.windows import window
from tests.property.profile_histories import touch

SHOES = touch(
    1, 0,
    properties={"category": "shoes", "price": 20, "tags": ["new", "red"], "gift": True, "list": {"name": "spring"}},
    context={"page": {"url": "https://shop/x"}},
    amount_minor=1999, currency="EUR",
)  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"field": "properties.category", "eq": "shoes"}, True),
        ({"field": "properties.category", "eq": "hats"}, False),
        ({"field": "properties.category", "ne": "hats"}, True),
        ({"field": "properties.size", "ne": 42}, True),
        ({"field": "properties.category", "one_of": ("hats", "shoes")}, True),
        ({"field": "properties.category", "one_of": ("hats",)}, False),
        ({"field": "properties.price", "gt": 19, "lt": 21}, True),
        ({"field": "properties.price", "gte": 20, "lte": 20}, True),
        ({"field": "properties.price", "gt": 20}, False),
        ({"field": "properties.category", "gt": 1}, False),
        ({"field": "properties.gift", "gte": 0}, False),
        ({"field": "properties.gift", "eq": 1}, False),
        ({"field": "properties.gift", "eq": True}, True),
        ({"field": "properties.tags", "contains": "red"}, True),
        ({"field": "properties.category", "contains": "hoe"}, True),
        ({"field": "properties.price", "contains": "2"}, False),
        ({"field": "properties.size", "exists": False}, True),
        ({"field": "properties.size", "exists": True}, False),
        ({"field": "properties.list.name", "eq": "spring"}, True),
        ({"field": "properties.category.name", "exists": True}, False),
        ({"field": "context.page.url", "contains": "shop"}, True),
        ({"field": "amount", "gte": 1999}, True),
        ({"field": "currency", "eq": "EUR"}, True),
        ({"field": "channel", "eq": "web"}, True),
        ({"field": "event", "eq": "View"}, True),
        ({"field": "event_id", "exists": True}, True),
        ({"field": "timestamp_ms", "gt": 0}, True),
        ({"field": "type", "eq": "track"}, True),
    ],
)
def test_a_condition_looks_at_any_field(condition: dict[str, Any], holds: bool) -> None:
    rule = AggregateRule(name="n", filter=Filter(where=(Condition(**condition),)))
    ledger = Ledger()
    Plan((rule,), ()).book(ledger, SHOES)
    assert ("count:n" in ledger.aggregates) is holds


@pytest.mark.parametrize(
    ("filter_", "matches"),
    [
        (Filter(), True),
        (Filter(events=("View", "Buy"), types=("track",), channels=("web",)), True),
        (Filter(events=("Buy",)), False),
        (Filter(types=("page",)), False),
        (Filter(channels=("pos",)), False),
    ],
)
def test_a_filter_admits_by_event_type_and_channel(filter_: Filter, matches: bool) -> None:
    ledger = Ledger()
    points = Plan((), (CountedRule("n", filter_, "total", 3),)).book(ledger, SHOES)[:2]
    assert points == ((3, 0) if matches else (0, 0))
    assert ("n" in ledger.occurrences) is matches


def test_lost_points_are_counted_apart_from_given_points() -> None:
    counted = (CountedRule("good", Filter(), "hours", 3), CountedRule("bad", Filter(), "days", -5))
    assert Plan((), counted).book(Ledger(), SHOES)[:2] == (3, 5)


def test_a_flood_of_event_names_is_not_remembered_for_ever() -> None:
    plan = Plan((AggregateRule(name="n"),), ())
    ledger = Ledger()
    for number in range(5000):
        plan.book(ledger, touch(number, 0, name=f"name-{number}"))
    assert ledger.aggregates["count:n"][""].total == 5000


@pytest.mark.parametrize("price", [True, "twelve", None, float("inf"), float("nan"), 1e300])
def test_what_is_not_a_usable_number_is_not_added(price: Any) -> None:
    ledger = Ledger()
    rule = AggregateRule(name="n", kind="sum", field="properties.price")
    Plan((rule,), ()).book(ledger, touch(1, 0, properties={"price": price}))
    assert ledger.aggregates == {}


def test_money_without_a_currency_is_no_money() -> None:
    ledger = Ledger()
    Plan((AggregateRule(name="n", kind="sum", field="amount"),), ()).book(ledger, touch(1, 0, amount_minor=5))
    assert ledger.aggregates == {}


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"kind": "median"}, "kind 'median' is unknown"),
        ({"kind": "sum"}, "needs a field"),
        ({"field": "amount"}, "takes no field"),
        ({"kind": "sum", "field": "revenue"}, "must be one of"),
        ({"kind": "sum", "field": "properties."}, "must be one of"),
        ({"kind": "purchases", "field": "properties.price"}, "is about money: write field: amount"),
        ({"kind": "purchases", "field": "amount", "windows": ("30d", "lifetime")}, r"write windows: \[lifetime\]"),
        ({"kind": "purchases", "field": "amount", "windows": ("30d",)}, r"write windows: \[lifetime\]"),
        ({"windows": ()}, "has no windows"),
        ({"windows": ("30s",)}, "between 1m and 90d"),
        ({"windows": ("91d",)}, "between 1m and 90d"),
        ({"windows": ("day",)}, "not a span of time"),
        ({"windows": ("0d",)}, "not a span of time"),
    ],
)
def test_an_aggregate_that_cannot_be_kept_is_refused(rule: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        AggregateRule(name="n", **rule)


def test_a_condition_needs_a_field_that_exists_and_an_operator() -> None:
    with pytest.raises(ValueError, match="has no operator"):
        Condition(field="channel")
    with pytest.raises(ValueError, match="must be one of"):
        Condition(field="props.x", eq=1)


def test_names_of_aggregates_are_unique() -> None:
    with pytest.raises(ValueError, match="there twice"):
        AggregateRules(aggregates=(AggregateRule(name="n"), AggregateRule(name="n")))


def test_spans_and_windows_are_written_as_numbers_with_units() -> None:
    assert [parse_duration(text) for text in ("1s", "2m", "3h", "1d", "1w")] == [
        1000,
        120_000,
        10_800_000,
        86_400_000,
        604_800_000,
    ]
    assert window("lifetime").tier is None
    assert getter("traits.plan")(touch(1, 0, traits={"plan": "pro"})) == "pro"
