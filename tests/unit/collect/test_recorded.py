"""Requests of unmodified SDKs, recorded on the wire: the same little story through each gives the same customers.

The story: a page, an identify with an e-mail address, an order; some also an alias, a group and a second person.
"""

from base64 import b64decode
from pathlib import Path

import msgspec
import pytest

from connectors.collect.write_keys import hash_of
from pipeline.event.model import Event
from tests.support.collecting import Door, shop

FOLDER = Path(__file__).parent / "recorded"
RECORDED_MS = 1_796_040_940_000
"""A moment after the recordings."""
KEY = "wk_recorded"


class Recorded(msgspec.Struct):
    method: str
    target: str
    headers: dict[str, str]
    body_base64: str


def replayed(name: str) -> Door:
    door = Door(shop(write_keys=[hash_of(KEY)], origins=["*"]))
    for line in (FOLDER / f"{name}.ndjson").read_text().splitlines():
        request = msgspec.json.decode(line, type=Recorded)
        door.now_ms = RECORDED_MS
        reply = door.send(request.method, request.target, b64decode(request.body_base64), request.headers, key=None)
        assert reply.status == (204 if request.method == "OPTIONS" else 200), (request.target, reply.body)
        assert b"success" not in reply.body or reply.json()["rejected"] == []
    return door


def identifiers_of(events: list[Event]) -> set[str]:
    return {ident for event in events for ident in event.identifiers}


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.iterdir()))
def test_everything_an_sdk_sends_is_taken_and_names_its_customer(name: str) -> None:
    door = replayed(name)
    assert door.kept.events
    assert door.kept.quarantined == []
    assert all(event.identifiers for event in door.kept.events)
    assert len({event.message_id for event in door.kept.events}) == len(door.kept.events)
    assert all(abs(event.timestamp_ms - RECORDED_MS) < 60_000 for event in door.kept.events)
    assert KEY not in str(door.kept.events)


@pytest.mark.parametrize(
    "name",
    [
        "segment-python",
        "segment-node",
        "segment-browser",
        "rudderstack-python",
        "rudderstack-node",
        "rudderstack-browser",
        "rudderstack-browser-beacon",
        "posthog-python",
        "posthog-node",
        "posthog-browser",
    ],
)
def test_the_story_has_its_customer_its_address_and_its_order(name: str) -> None:
    events = replayed(name).kept.events
    [order] = [event for event in events if event.properties.get("order_id") == "o1"]
    assert (order.name, order.properties["revenue"], order.identifiers[0]) == ("Order Completed", 19.5, "user_id:u1")
    assert {"user_id:u1", "email:ann@example.com"} <= identifiers_of(events)
    assert "anonymous_id:u1" not in identifiers_of(events)
    assert not any({"user_id:u1", "user_id:u2"} <= set(event.identifiers) for event in events)


def test_posthogs_groups_aliases_and_first_values_mean_what_they_say() -> None:
    events = replayed("posthog-python").kept.events
    assert [event.type for event in events] == ["page", "identify", "track", "alias", "group", "identify", "track"]
    page, identify, _, alias, group, once, order = events
    assert page.context["page"] == {"url": "https://shop.example/?gclid=abc12345"}
    assert identify.traits == {"email": "ann@example.com", "plan": "gold"}
    assert alias.identifiers == ["user_id:u1", "user_id:an1"]
    assert (group.identifiers, group.traits) == (["account_id:g1"], {"name": "Acme"})
    assert once.traits == {"$set_once": {"first": "x"}}
    assert order.traits == {"email": "bob@example.com"}


def test_snowplows_events_mean_what_they_say() -> None:
    events = replayed("snowplow-python").kept.events
    assert [(event.type, event.name) for event in events] == [
        ("page", ""), ("track", "add-to-cart"), ("track", "order_completed"),
    ] * 2  # fmt: skip
    assert {tuple(event.identifiers[:2]) for event in events} == {("user_id:u1", "anonymous_id:an1")}
    assert events[2].properties == {"order_id": "o1"}
    node = replayed("snowplow-node").kept.events
    assert node[1].context["snowplow"] == {"ctx": {"a": 1}}


def test_cloudevents_in_each_mode_are_the_same() -> None:
    events = replayed("cloudevents-python").kept.events
    assert {event.name for event in events} == {"com.example.order.completed"}
    assert {event.message_id for event in events} == {"/shop#c1to_binary", "/shop#c1to_structured"}
    assert all(event.properties == {"revenue": 19.5} for event in events)
    assert len(replayed("cloudevents-node").kept.events) == 3
