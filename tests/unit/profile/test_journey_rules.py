"""Refused rules of ``journeys.yaml``, with what to write instead."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.profile.filter import Filter
from pipeline.profile.journey.rules import (
    AttributionRules,
    CartRules,
    Conversion,
    ItemFields,
    OrderRules,
    PreferenceRule,
    SurveyRule,
)

ANY = Filter()
BUY = Filter(events=("order_completed",))
ADD = Filter(events=("product_added",))
CARTS = {"added": ADD, "bought": BUY}


@pytest.mark.parametrize(
    ("rule", "fields", "message"),
    [
        (CartRules, {**CARTS, "added": ANY}, r"added would match every event: give it events"),
        (CartRules, {**CARTS, "removed": ANY}, r"removed would match every event"),
        (CartRules, {**CARTS, "abandoned_after_ms": 59_999}, r"write 1 min or more"),
        (ItemFields, {"price": "nowhere.price"}, r"nowhere"),
        (Conversion, {"name": "bought", "filter": ANY}, r"'bought' would match every event"),
        (Conversion, {"name": "b", "filter": BUY, "value_minor": 5, "currency": "Euro"}, r"'Euro' .* such as EUR"),
        (AttributionRules, {"first_percent": 60, "last_percent": 41}, r"exceed 100 together"),
        (AttributionRules, {"cost_currency": "dollars"}, r"cost_currency 'dollars' is unknown"),
        (AttributionRules, {"conversions": (Conversion(name="b", filter=BUY),) * 2}, r"'b' is there twice"),
        (OrderRules, {"refunded": ANY}, r"refunded would match every event: .* \[order_refunded\]"),
        (OrderRules, {"id": ("order",)}, r"order"),
        (SurveyRule, {"filter": ANY}, r"the survey would match every event"),
        (PreferenceRule, {"filter": ANY}, r"the preference rule would match every event"),
        (PreferenceRule, {"filter": BUY, "field": "properties.x", "denies": ("ads",)}, r"leave one of them out"),
        (PreferenceRule, {"filter": BUY, "field": "x"}, r"x"),
    ],
)
def test_a_wrong_rule_is_refused(rule: Callable[..., Any], fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule(**fields)


def test_limits_are_inclusive() -> None:
    assert CartRules(**CARTS, abandoned_after_ms=60_000).abandoned_after_ms == 60_000
    assert AttributionRules(first_percent=60, last_percent=40).first_percent == 60
    assert Conversion(name="b", filter=BUY, currency="Euro").value_minor == 0
