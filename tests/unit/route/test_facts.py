"""The names in conditions of routes: their values, and rejected names."""

import doctest
from functools import partial
from importlib import import_module

import pytest

from pipeline.condition.compiler import compile_condition
from pipeline.condition.due import FOREVER
from pipeline.condition.errors import ConditionError
from pipeline.condition.grammar import parse
from pipeline.route import facts
from pipeline.route.facts import compile_when
from tests.support.leads import lead

GIVEN = lead(
    1,
    "email:ada@example.org",
    "user_id:7",
    "user_id:9",
    traits={"country": "DE", "employees": 900, "vip": True, "tags": ["b2b", "old"], "address": {"city": "Ulm"}},
    channel="web",
    campaign="autumn",
    contact={"email": "ada@example.org"},
    segments=["engaged", "vip.gold"],
    grade="B1",
    predictions={"expected_orders": 2.5},
    cart='{"amounts_minor":{"EUR":24999},"items":[{"id":"1"},{"id":"2"}],"status":"abandoned"}',
)
SEGMENTS = ("engaged", "vip.gold", "dormant")
HOLD = [
    'traits.country in ["DE", "AT"]',
    "traits.employees >= 500 and not traits.employees > 900",
    "traits.vip",
    'traits.tags contains "b2b"',
    'traits.address.city = "Ulm"',
    "traits.address is known and traits.address.zip is unknown and traits.country.part is unknown",
    'contact.email contains "@example.org" and contact.phone is unknown',
    'identifier.user_id = "7" and identifier.phone is unknown',
    "score > 72 and episode = 1",
    'trigger = "hot_lead" and channel = "web" and campaign = "autumn"',
    "segment.engaged and segment.vip.gold and not segment.dormant",
    'grade = "B1" and grade < "C" and grade contains "1"',
    "predictions.expected_orders >= 2.5 and predictions.churn_risk is unknown",
    'cart.status = "abandoned" and cart.items = 2 and cart.amount.EUR >= 249.99 and cart.amount.JPY = 0',
]
REFUSED = [
    ("segment", "segment needs the name of a segment; write dormant, engaged or vip.gold"),
    ("segment.engagd", "there is no segment engagd; did you mean engaged?"),
    ('cart.status = "left"', "a cart is never 'left'; write abandoned, none or open"),
    ("cart = 1", "a lead has no 'cart'; write campaign, cart.amount.EUR, cart.items"),
    ("cart.amount > 5", "cart.amount is money, which is kept by currency; write cart.amount.EUR"),
    ("cart.amount.EUR.x > 5", "cart.amount.EUR is a number and has no x"),
    ('grade = "E1"', "'E1' is no grade"),
    ("traits", "a lead has no 'traits'; did you mean traits.country?"),
    ('contact.email.domain = "x"', "a lead has no 'contact.email.domain'; did you mean contact.email?"),
    ("score over 30 d > 5", "score is read when the trigger fires, not over a window; leave out over 30 d"),
    ('score = "high"', "number"),
    ("", "condition"),
]  # fmt: skip


@pytest.mark.parametrize("text", HOLD)
def test_a_condition_reads_the_lead(text: str) -> None:
    assert compile_when(text, SEGMENTS)(GIVEN)
    assert not compile_when(f"not ({text})", SEGMENTS)(GIVEN)


def test_time_alone_changes_nothing_about_a_lead() -> None:
    for text in HOLD:
        condition = compile_condition(parse(text), partial(facts._resolve, SEGMENTS))
        assert condition.outlook(GIVEN) == (True, FOREVER)


def test_any_segment_may_be_named_if_the_declared_ones_are_unknown() -> None:
    assert not compile_when("segment.anything")(GIVEN)


def test_what_a_lead_does_not_have_is_unknown() -> None:
    bare = lead(1)
    for name in (
        "traits.country",
        "contact.email",
        "identifier.phone",
        "channel",
        "campaign",
        "grade",
        "predictions.x",
    ):
        assert compile_when(f"{name} is unknown")(bare)
    assert compile_when('cart.status = "none" and cart.items = 0 and cart.amount.EUR = 0')(bare)


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_an_unknown_name_is_refused_with_advice(text: str, message: str) -> None:
    with pytest.raises(ConditionError) as error:
        compile_when(text, SEGMENTS)
    assert message in str(error.value)


@pytest.mark.parametrize("module", ["facts", "quota"])
def test_the_examples_of_the_package_hold(module: str) -> None:
    result = doctest.testmod(import_module(f"pipeline.route.{module}"))
    assert result.attempted > 0
    assert result.failed == 0
