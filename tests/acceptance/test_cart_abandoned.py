"""A basket that is left behind: known at the minute, with its content, without an event of whoever left it."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.avro.wire import Decoder
from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.identity.profile_id import profile_id
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.testing.build import event_json
from pipeline.topics import ACTIONS, SEGMENTS, UPDATES, Topic
from tests.acceptance.command import run
from tests.support.simulated import TENANT, Story

START_MS = 1_772_366_400_000
"""2026-03-01T12:00:00Z."""
WAIT_MS = 3 * HOUR_MS
LEFT_MS = START_MS + 90_000
"""When something was last put into the basket."""
DUE_MS = LEFT_MS + WAIT_MS

JOURNEYS = """carts:
  added: {events: [product_added]}
  removed: {events: [product_removed]}
  bought: {events: [order_completed]}
  abandoned_after: 3 h
"""
TRIGGERS = """triggers: []
segment_triggers:
  - {name: cart_left_behind, segment: abandoned_cart}
"""
ROUTING = """reps: [{name: ann}, {name: bob}]
teams: [{name: all, reps: [bob]}]
routes:
  - {name: large_baskets, when: segment.abandoned_cart and cart.amount.EUR >= 100, rep: ann}
catch_all: all
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    for name, text in {"journeys": JOURNEYS, "triggers": TRIGGERS, "routing": ROUTING}.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def event(number: int, happened: str, at_ms: int, user: str = "ada", **properties: Any) -> dict[str, Any]:
    return event_json(number, happened, timestamp=at_ms, userId=user, properties=properties)


def added(number: int, at_ms: int, product: str, price: float, user: str = "ada", **more: Any) -> dict[str, Any]:
    what = {"product_id": product, "name": product.title(), "price": price, "currency": "EUR", **more}
    return event(number, "product_added", at_ms, user, **what)


def bought(number: int, at_ms: int, user: str = "ada") -> dict[str, Any]:
    return event(number, "order_completed", at_ms, user, revenue=159.8, currency="EUR")


BASKET = [added(1, START_MS, "tent", 129.9), added(2, LEFT_MS, "peg", 2.5, quantity=12)]
CONTENT = {
    "status": "abandoned",
    "items": [
        {"id": "tent", "name": "Tent", "quantity": 1, "price_minor": 12_990, "currency": "EUR"},
        {"id": "peg", "name": "Peg", "quantity": 12, "price_minor": 250, "currency": "EUR"},
    ],
    "amounts_minor": {"EUR": 15_990},
    "since_ms": START_MS,
    "updated_ms": LEFT_MS,
}


class Watched:
    """A story, and its output since the last call."""

    def __init__(self, rules: Path) -> None:
        self.story = Story(load_rules(rules))

    def until(self, moment_ms: int) -> "Watched":
        self.story.simulation.advance(moment_ms)
        return self

    def took(self, topic: Topic) -> list[dict[str, Any]]:
        decode = Decoder(topic.value)
        return [decode(record.value()) for record in self.story.simulation.take(topic)]

    def changes(self) -> list[tuple[str, int]]:
        """(change, moment) of the segment."""
        result = self.took(SEGMENTS)
        return [(item["change"], item["timestamp_ms"]) for item in result if item["segment"] == "abandoned_cart"]


def test_a_basket_counts_as_left_behind_at_the_millisecond_in_which_its_time_is_over(rules: Path) -> None:
    watched = Watched(rules)
    watched.story.tell(*BASKET)
    assert watched.until(DUE_MS - 1).changes() == []
    assert watched.took(ACTIONS) == []
    assert watched.until(DUE_MS).changes() == [("entered", DUE_MS)]
    assert watched.until(DUE_MS + 30 * DAY_MS).changes() == []


def test_the_action_and_the_published_profile_contain_the_cart(rules: Path) -> None:
    watched = Watched(rules)
    watched.story.tell(*BASKET)
    before = watched.took(UPDATES)[-1]
    assert json.loads(before["cart"]) == CONTENT | {"status": "open"}
    watched.until(DUE_MS + DAY_MS)
    (action,) = watched.took(ACTIONS)
    assert (action["trigger"], action["event"], action["segment"]) == ("cart_left_behind", "entered", "abandoned_cart")
    assert (action["timestamp_ms"], action["profile_id"]) == (DUE_MS, profile_id(TENANT, "user_id:ada"))
    assert json.loads(action["cart"]) == CONTENT
    assert json.loads(watched.took(UPDATES)[-1]["cart"]) == CONTENT


def test_routes_see_the_segment_and_the_basket(rules: Path) -> None:
    watched = Watched(rules)
    watched.story.tell(*BASKET, added(3, LEFT_MS, "peg", 2.5, "ben"))
    watched.until(DUE_MS)
    owners = {action["profile_id"]: action["owner"] for action in watched.took(ACTIONS)}
    assert owners == {profile_id(TENANT, "user_id:ada"): "ann", profile_id(TENANT, "user_id:ben"): "bob"}


def test_each_change_of_the_cart_restarts_its_time(rules: Path) -> None:
    watched = Watched(rules)
    watched.story.tell(*BASKET)
    watched.until(DUE_MS - 1)
    watched.story.tell(event(3, "product_removed", DUE_MS - 1, product_id="tent"))
    assert watched.until(DUE_MS - 1 + WAIT_MS - 1).changes() == []
    assert watched.until(DUE_MS - 1 + WAIT_MS).changes() == [("entered", DUE_MS - 1 + WAIT_MS)]
    (action,) = watched.took(ACTIONS)
    assert [item["id"] for item in json.loads(action["cart"])["items"]] == ["peg"]


def test_buying_leaves_the_segment_and_empties_the_basket(rules: Path) -> None:
    watched = Watched(rules)
    watched.story.tell(*BASKET)
    assert watched.until(DUE_MS + HOUR_MS).changes() == [("entered", DUE_MS)]
    watched.story.tell(bought(3, DUE_MS + 2 * HOUR_MS))
    assert watched.changes() == [("exited", DUE_MS + 2 * HOUR_MS)]
    assert watched.took(UPDATES)[-1]["cart"] == "{}"
    watched.story.tell(added(4, DUE_MS + 3 * HOUR_MS, "lamp", 20))
    again_ms = DUE_MS + 3 * HOUR_MS + WAIT_MS
    assert watched.until(again_ms).changes() == [("entered", again_ms)]
    assert [action["episode"] for action in watched.took(ACTIONS)] == [1, 2]


def test_a_customer_that_buys_in_time_never_enters_the_segment(rules: Path) -> None:
    watched = Watched(rules)
    watched.story.tell(*BASKET, bought(3, DUE_MS - 1))
    assert watched.until(DUE_MS + DAY_MS).changes() == []
    assert watched.took(ACTIONS) == []


def test_the_command_comes_to_the_same_and_to_a_good_end(rules: Path, tmp_path: Path) -> None:
    log, out = tmp_path / "events.ndjson", tmp_path / "out"
    shown = [*BASKET, added(3, START_MS, "lamp", 20, "ben"), bought(4, LEFT_MS, "ben")]
    log.write_text("".join(json.dumps(item) + "\n" for item in shown), encoding="utf-8")
    run(Settings(), "simulate", log, "--rules", rules, "--as-of", "2026-03-02T00:00:00Z", "--out", out)
    changes = [json.loads(line) for line in (out / "segment-changes.ndjson").read_text().splitlines()]
    left = [change for change in changes if change["segment"] == "abandoned_cart"]
    assert [(item["profile_id"], item["change"], item["timestamp_ms"]) for item in left] == [
        (profile_id(TENANT, "user_id:ada"), "entered", DUE_MS)
    ]
    (action,) = [json.loads(line) for line in (out / "crm-actions.ndjson").read_text().splitlines()]
    assert (json.loads(action["cart"]), action["owner"]) == (CONTENT, "ann")
