"""What conditions of routes may ask of a lead."""

import doctest
from importlib import import_module

import pytest

from pipeline.condition.errors import ConditionError
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
)
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
]
REFUSED = [
    ("segment.hot", "nothing of a lead is called 'segment.hot'"),
    ("traits", "nothing of a lead is called 'traits'; did you mean traits.country?"),
    ('contact.email.domain = "x"', "nothing of a lead is called 'contact.email.domain'; did you mean contact.email?"),
    ("score over 30 d > 5", "score is taken as it is when the trigger fires, not over a time; leave out over 30 d"),
    ('score = "high"', "number"),
    ("", "condition"),
]  # fmt: skip


@pytest.mark.parametrize("text", HOLD)
def test_a_condition_reads_the_lead(text: str) -> None:
    assert compile_when(text)(GIVEN)
    assert not compile_when(f"not ({text})")(GIVEN)


def test_what_a_lead_does_not_have_is_unknown() -> None:
    bare = lead(1)
    for name in ("traits.country", "contact.email", "identifier.phone", "channel", "campaign"):
        assert compile_when(f"{name} is unknown")(bare)


@pytest.mark.parametrize(("text", "says"), REFUSED)
def test_what_nobody_knows_of_a_lead_is_refused_with_advice(text: str, says: str) -> None:
    with pytest.raises(ConditionError) as error:
        compile_when(text)
    assert says in str(error.value)


@pytest.mark.parametrize("module", ["facts", "quota"])
def test_the_examples_of_the_package_hold(module: str) -> None:
    found = doctest.testmod(import_module(f"pipeline.route.{module}"))
    assert found.attempted > 0
    assert found.failed == 0
