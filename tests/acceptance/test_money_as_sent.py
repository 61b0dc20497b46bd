"""Money as senders write it: read exactly or refused, never taken as nothing. Through ``simulate``."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.testing.build import event_json
from tests.support.as_sent import simulate

order = partial(event_json, 1, "order_completed", userId="ann")


@pytest.mark.parametrize(
    ("properties", "spent"),
    [
        ({"revenue": "19,99"}, {"USD": 1999}),
        ({"revenue": "$1,299.00"}, {"USD": 129_900}),
        ({"revenue": "1.299,00 €"}, {"EUR": 129_900}),
        ({"revenue": "€ 1.299,00", "currency": "EUR"}, {"EUR": 129_900}),
        ({"revenue": "1 299,00", "currency": "EUR"}, {"EUR": 129_900}),
        ({"revenue": "CHF 1'299.50"}, {"CHF": 129_950}),
        ({"revenue": "-5.00"}, {"USD": -500}),
        ({"revenue": "(5.00)"}, {"USD": -500}),
        ({"revenue": "$19.99", "currency": "CAD"}, {"CAD": 1999}),
        ({"revenue": "19.99", "total": "25"}, {"USD": 1999}),
        ({"revenue_minor": "1999"}, {"USD": 1999}),
        ({"revenue": "", "total": 25}, {"USD": 2500}),
        ({"revenue": None, "total": "25"}, {"USD": 2500}),
    ],
)
def test_money_in_text_is_read(tmp_path: Path, properties: dict[str, Any], spent: dict[str, int]) -> None:
    assert simulate(tmp_path, [order(properties=properties)]).number("spent") == spent


@pytest.mark.parametrize(
    "properties",
    [
        {"revenue": "1,299", "total": 5},
        {"revenue": "1.2.3", "total": 5},
        {"revenue": "12,34,5", "total": 5},
        {"revenue": "$5", "currency": "EUR"},
        {"revenue": "--5", "total": 5},
    ],
)
def test_money_that_could_be_two_amounts_is_refused_and_no_other_field_stands_in(
    tmp_path: Path, properties: dict[str, Any]
) -> None:
    outcome = simulate(tmp_path, [order(properties=properties)])
    assert [(reject["reason"], outcome.profiles) for reject in outcome.rejects] == [("invalid_field", [])]
    assert "properties.revenue" in outcome.rejects[0]["detail"]


def test_a_value_that_is_no_money_at_all_is_no_amount(tmp_path: Path) -> None:
    assert simulate(tmp_path, [order(properties={"value": "blue", "price": 5})]).number("spent") == {"USD": 500}


RULES = """time_zone: UTC
aggregates:
  - {name: pieces, kind: sum, field: properties.quantity}
  - {name: large, kind: count, filter: {where: [{field: properties.quantity, gte: 3}]}}
  - {name: exact, kind: count, filter: {where: [{field: properties.quantity, eq: 3}]}}
"""


@pytest.mark.parametrize("quantity", [3, 3.0, "3", " 3 ", "3.0", "3,0"])
def test_a_number_in_text_is_the_number_for_sums_and_for_conditions(tmp_path: Path, quantity: Any) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "aggregates.yaml").write_text(RULES, encoding="utf-8")
    outcome = simulate(tmp_path, [order(properties={"quantity": quantity})], "--rules", tmp_path / "rules")
    assert [outcome.number(name) for name in ("pieces", "large", "exact")] == [3, 1, 1]


@pytest.mark.parametrize("quantity", [2, "2"])
def test_a_cart_counts_pieces_and_prices_in_text(tmp_path: Path, quantity: Any) -> None:
    added = event_json(
        1,
        "product_added",
        userId="u",
        properties={"sku": "s", "quantity": quantity, "price": "19,99", "currency": "EUR"},
    )
    (item,) = simulate(tmp_path, [added]).profile["cart"]["items"]
    assert (item["quantity"], item["price_minor"], item["currency"]) == (2, 1999, "EUR")
