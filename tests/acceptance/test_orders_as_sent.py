"""Orders as shops send them: names in any case, one order id one order, refunds taken back. Through ``simulate``."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.testing.build import event_json
from tests.support.as_sent import Outcome, simulate

EUR = {"currency": "EUR"}


def order(number: int, order_id: str | None = "o1", revenue: Any = 100, **fields: Any) -> dict[str, Any]:
    properties = {"revenue": revenue, **EUR, **({"order_id": order_id} if order_id else {})}
    return event_json(number, "Order Completed", userId="ann", properties=properties, **fields)


def refund(number: int, name: str = "Order Refunded", order_id: str = "o1", **properties: Any) -> dict[str, Any]:
    return event_json(number, name, userId="ann", properties={"order_id": order_id, **properties})


def spent(outcome: Outcome) -> Any:
    """Revenue, and money of the lifetime value's purchases, which must agree."""
    revenue = outcome.number("spent").get("EUR", 0)
    assert outcome.number("purchases")["EUR"]["total_minor"] == revenue
    return revenue


@pytest.mark.parametrize(
    "name", ["Order Completed", "order_completed", "orderCompleted", "ORDER COMPLETED", "order-completed"]
)
def test_an_event_name_means_the_same_in_any_case_and_with_any_separator(tmp_path: Path, name: str) -> None:
    outcome = simulate(tmp_path, [order(1) | {"event": name}])
    assert (outcome.number("orders"), spent(outcome)) == (1, 10_000)
    assert outcome.profile["last_touch"]["event"] == name
    assert len(outcome.profile["attribution"]) == 1


@pytest.mark.parametrize(
    ("name", "aggregate"),
    [
        ("Product Viewed", "products_viewed"), ("Product Added", "cart_adds"), ("Checkout Started", "checkouts"),
        ("Email Delivered", "emails_delivered"), ("Email Opened", "emails_opened"),
        ("Email Link Clicked", "emails_clicked"), ("Application Opened", "app_opens"), ("Signed In", "sign_ins"),
    ],
)  # fmt: skip
def test_names_of_the_segment_specs_are_known(tmp_path: Path, name: str, aggregate: str) -> None:
    assert simulate(tmp_path, [event_json(1, name, userId="u")]).number(aggregate) == 1


def test_one_order_id_is_one_order_however_often_its_event_comes(tmp_path: Path) -> None:
    outcome = simulate(tmp_path, [order(1), order(2), order(3, channel="app"), order(4, "o2")])
    assert (outcome.number("orders"), spent(outcome), outcome.profile["touches"]) == (2, 20_000, 4)
    assert len(outcome.profile["attribution"]) == 2


@pytest.mark.parametrize(
    ("repetition", "counted"),
    [(order(200, "o1"), 101), (order(0, "o0"), 101), (order(200, "o0"), 102)],
    ids=["within the newest hundred", "older, the same message", "older, another message"],
)
def test_the_newest_hundred_orders_of_an_anchor_are_known_by_their_ids(
    tmp_path: Path, repetition: dict[str, Any], counted: int
) -> None:
    """The last case is the documented limit: an older order counts again if its message id has changed too."""
    outcome = simulate(tmp_path, [*(order(n, f"o{n}") for n in range(101)), repetition])
    assert (outcome.number("orders"), spent(outcome)) == (counted, counted * 10_000)


def test_orders_without_an_id_are_distinguished_by_their_events(tmp_path: Path) -> None:
    assert spent(simulate(tmp_path, [order(1, None), order(2, None)])) == 20_000


@pytest.mark.parametrize(
    ("back", "left", "shown"),
    [
        ([refund(2, revenue=30, **EUR)], 7000, 3000),
        ([refund(2, revenue=30, **EUR), refund(3, revenue=20, **EUR)], 5000, 5000),
        ([refund(2, revenue=-30, **EUR)], 7000, 3000),
        ([refund(2)], 0, 10_000),
        ([refund(2, "Order Cancelled")], 0, 10_000),
        ([refund(2, "order_cancelled", total=100, **EUR)], 0, 10_000),
        ([refund(2, revenue=30, **EUR), refund(3, "Order Cancelled")], 0, 10_000),
        ([refund(2, revenue=100, **EUR), refund(3, "Order Cancelled", revenue=100, **EUR)], 0, 10_000),
        ([refund(2, revenue=30, refund_id="r", **EUR), refund(3, revenue=30, refund_id="r", **EUR)], 7000, 3000),
    ],
)
def test_what_is_refunded_is_taken_back_and_stays_visible(
    tmp_path: Path, back: list[dict[str, Any]], left: int, shown: int
) -> None:
    outcome = simulate(tmp_path, [order(1), *back])
    (conversion,) = outcome.profile["attribution"]
    assert (spent(outcome), outcome.number("refunded")) == (left, {"EUR": shown})
    assert (conversion["value_minor"], conversion["refunded_minor"]) == (left, 10_000 - left)
    assert [entry["event"] for entry in outcome.profile["timeline"]][-1] == "Order Completed"
    assert len(outcome.profile["timeline"]) == 1 + len(back)


@pytest.mark.parametrize("back", [refund(0), refund(0, revenue=30, **EUR)])
def test_a_refund_that_comes_before_its_order_takes_the_same_back(tmp_path: Path, back: dict[str, Any]) -> None:
    late, early = simulate(tmp_path, [order(1), back]), simulate(tmp_path, [back, order(1)])
    assert spent(early) == spent(late)
    assert early.profile["attribution"] == late.profile["attribution"]
