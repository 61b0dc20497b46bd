"""One order sent under two anchors: two orders while the anchors are two customers, one once they are one customer."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.testing.build import event_json
from tests.support.as_sent import simulate
from tests.support.simulated import Story, decision

EUR = {"currency": "EUR"}
WEB, TILL = {"anonymousId": "a1"}, {"identifiers": {"email": "ann@shop.example"}, "channel": "pos"}
LOG_IN = event_json(9, "", type="identify", anonymousId="a1", traits={"email": "ann@shop.example"})
PAIR = ("email:ann@shop.example", "anonymous_id:a1")


def sent(number: int, name: str, who: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return event_json(number, name, **who, properties={"order_id": "o1", **properties})


def order(number: int, who: dict[str, Any], revenue: int = 100) -> dict[str, Any]:
    return sent(number, "Order Completed", who, revenue=revenue, **EUR)


def figures(profile: dict[str, Any]) -> dict[str, Any]:
    """The figures of a profile that an order counts in."""
    numbers = {name: values["lifetime"] for name, values in profile["aggregates"].items() if "lifetime" in values}
    return {
        "orders": numbers["orders"],
        "spent": numbers["spent"].get("EUR", 0),
        "purchases": {name: numbers["purchases"]["EUR"][name] for name in ("orders", "days", "total_minor")},
        "conversions": [(item["value_minor"], item["refunded_minor"]) for item in profile["attribution"]],
        "points": sum(item["value"] for item in profile["scores"]),
    }


def profiles(story: Story) -> list[dict[str, Any]]:
    everyone = [msgspec.json.decode(line) for line in story.exported().splitlines()]
    return [profile for profile in everyone if not profile["merged_into"]]


@pytest.mark.parametrize("first", [WEB, TILL], ids=["web first", "till first"])
def test_an_order_under_two_anchors_is_one_order_of_the_merged_customer(tmp_path: Path, first: dict[str, Any]) -> None:
    second = TILL if first is WEB else WEB
    both = simulate(tmp_path, [order(1, first), order(2, second), LOG_IN])
    alone = simulate(tmp_path, [order(1, first), LOG_IN])
    assert figures(both.profile) == figures(alone.profile)
    assert both.profile["touches"] == alone.profile["touches"] + 1


def test_it_does_not_matter_when_the_anchors_become_one_customer(tmp_path: Path) -> None:
    early = dict(LOG_IN, messageId="early", timestamp=order(0, WEB)["timestamp"])
    late = simulate(tmp_path, [order(1, WEB), order(2, TILL), LOG_IN])
    assert figures(simulate(tmp_path, [early, order(1, WEB), order(2, TILL)]).profile) == figures(late.profile)
    assert figures(simulate(tmp_path, [early, order(2, TILL), order(1, WEB)]).profile) == figures(late.profile)


def test_the_order_is_one_for_each_customer_again_after_an_unlink() -> None:
    events = [order(1, WEB), order(2, TILL)]
    apart = sorted(map(figures, profiles(Story().tell(*events))), key=str)
    story = Story().tell(*events, LOG_IN)
    assert [figures(profile)["orders"] for profile in profiles(story)] == [1]
    again = profiles(story.tell(decision("unlink", *PAIR)))
    assert sorted(map(figures, again), key=str) == apart


@pytest.mark.parametrize(
    ("back", "left", "shown"),
    [
        ([sent(3, "Order Refunded", TILL, revenue=30, **EUR)], 7000, 3000),
        ([sent(3, "Order Cancelled", TILL)], 0, 10_000),
        ([sent(3, "Order Cancelled", TILL), sent(4, "Order Cancelled", WEB)], 0, 10_000),
        ([sent(3, "Order Refunded", who, revenue=30, refund_id="r", **EUR) for who in (WEB, TILL)], 7000, 3000),
        ([sent(n, "Order Refunded", who, revenue=70, **EUR) for n, who in ((3, WEB), (4, TILL))], 0, 10_000),
    ],
    ids=["partial", "whole", "cancelled twice", "one refund twice", "more than the order"],
)
@pytest.mark.parametrize("twice", [False, True], ids=["order once", "order twice"])
def test_refunds_under_another_anchor_are_taken_back_from_the_one_order(
    tmp_path: Path, back: list[dict[str, Any]], left: int, shown: int, twice: bool
) -> None:
    repeated = [order(2, TILL)] if twice else []
    for number, event in enumerate(back):
        event["messageId"] = f"back{number}"
    result = figures(simulate(tmp_path, [order(1, WEB), *repeated, *back, LOG_IN]).profile)
    assert (result["orders"], result["spent"], result["purchases"]["total_minor"]) == (1, left, left)
    assert result["conversions"] == [(left, shown)]
