"""Traits and consent that a touch states."""

from typing import Any

import pytest

from pipeline.profile.ledger import Ledger
from pipeline.profile.statements import book_consent, book_traits
from pipeline.testing.build import touch


def booked(*stated: dict[str, Any], **fields: Any) -> Ledger:
    """Returns a ledger with one touch a second, each with the traits of one argument."""
    ledger = Ledger()
    for number, traits in enumerate(stated):
        book_traits(ledger, touch(event_id=f"shop/{number}", timestamp_ms=number * 1000, traits=traits, **fields))
    return ledger


def test_the_newest_value_of_a_trait_counts_in_any_order_of_arrival() -> None:
    old, new = (touch(event_id=f"shop/{n}", timestamp_ms=n, traits={"plan": n}) for n in (1, 2))
    forwards, backwards = Ledger(), Ledger()
    for item in (old, new):
        book_traits(forwards, item)
    for item in (new, old):
        book_traits(backwards, item)
    assert forwards.traits == backwards.traits == {"plan": (2, "shop/2", "web", 2)}


def test_the_oldest_value_that_is_set_once_is_kept_apart() -> None:
    ledger = booked({"$set_once": {"source": "ad"}}, {"$set_once": {"source": "mail", "plan": "pro"}})
    assert {name: trait[3] for name, trait in ledger.set_once.items()} == {"source": "ad", "plan": "pro"}
    assert ledger.traits == {}


def test_set_once_without_an_object_is_an_ordinary_trait() -> None:
    assert booked({"$set_once": "yes"}).traits["$set_once"][3] == "yes"


def test_a_group_call_states_traits_of_the_account() -> None:
    ledger = booked({"seats": 5}, {"seats": 7, "plan": "pro"}, type="group", context={"groupId": "acme"})
    assert {name: trait[3] for name, trait in ledger.accounts["acme"].items()} == {"seats": 7, "plan": "pro"}
    assert ledger.traits == {}


@pytest.mark.parametrize("context", [{}, {"groupId": ""}, {"groupId": 7}])
def test_a_group_call_without_an_account_states_nothing(context: dict[str, Any]) -> None:
    assert booked({"seats": 5}, type="group", context=context) == Ledger()


@pytest.mark.parametrize(
    ("stated", "consent"),
    [
        ({"ads": True}, {"ads": 0}),
        ({"ads": {"email": False, "sms": True, "post": "no"}}, {"ads/email": 1, "ads/sms": 0}),
        ({"categoryPreferences": {"ads": False}}, {"ads": 1}),
        ({"categoryPreferences": [1]}, {}),
        ({"ads": "yes"}, {}),
        ("yes", {}),
    ],
)
def test_only_true_and_false_state_consent(stated: Any, consent: dict[str, int]) -> None:
    ledger = Ledger()
    book_consent(ledger, touch(), stated)
    assert {key: denied for key, (_, denied, _) in ledger.consent.items()} == consent
