"""Contact data and traits over several ledgers."""

from typing import Any

import pytest

from pipeline.event.identifier import Identifier
from pipeline.profile.apply import apply_touch
from pipeline.profile.booking import Plan
from pipeline.profile.fold import contact_of, traits_of
from pipeline.profile.ledger import Ledger
from pipeline.segment.facts import Facts
from pipeline.segment.person import trait
from pipeline.testing.build import START_MS, touch

NO_RULES = Plan((), ())


def ledger(number: int, traits: dict[str, Any], *identifiers: Identifier) -> Ledger:
    """Returns the ledger of one touch; a higher number is later."""
    result = Ledger()
    seen = ["user_id:1", *identifiers]
    apply_touch(
        NO_RULES,
        result,
        touch(identifiers=seen, event_id=f"shop/{number}", timestamp_ms=START_MS + number, traits=traits),
    )
    return result


@pytest.mark.parametrize(
    ("field", "stated", "foreign", "is_shown"),
    [
        ("email", "Ben@Shop.example ", "email:ben@shop.example", False),
        ("email", "ann@shop.example", "email:ben@shop.example", True),
        ("phone", "030 1234567", "phone:+49301234567", False),
        ("phone", "+49 30 1234567", "phone:+49301234567", False),
        ("phone", "030 7654321", "phone:+49301234567", True),
        ("phone", "4567", "phone:+49301234567", True),
        ("phone", "030 1234567", "email:ben@shop.example", True),
    ],
)
def test_a_stated_address_of_another_customer_is_no_contact(
    field: str, stated: str, foreign: Identifier, is_shown: bool
) -> None:
    result = ledger(1, {field: stated})
    result.owned[foreign] = (1, False)
    assert (contact_of([result]).get(field) == stated) is is_shown


def test_an_initial_trait_counts_until_any_ledger_states_the_trait() -> None:
    early, late = ledger(1, {"$set_once": {"source": "ad"}}), ledger(2, {"$set_once": {"source": "mail"}})
    stated = ledger(0, {"source": "shop"})
    for ledgers, value in (([early, late], "ad"), ([late, early], "ad"), ([early, late, stated], "shop")):
        assert traits_of(ledgers)["source"][3] == value
        assert trait(("traits", "source")).read(Facts(ledgers, START_MS)) == value
