"""Cases of PostHog, Snowplow, CloudEvents and the plain endpoint that the recorded stories do not have."""

from base64 import b64encode, urlsafe_b64encode
from typing import Any

import jsonschema
import msgspec
import pytest

from connectors.collect.openapi import OPENAPI
from tests.support.collecting import KEY, NOW_MS, Door, shop

UUID = "01a22c6f-e2de-70b8-8b26-a98564d2f0ce"


@pytest.mark.parametrize(
    ("alias", "distinct", "identifiers"),
    [
        ("u1", UUID, ["user_id:u1", f"anonymous_id:{UUID}"]),
        (UUID, "u1", ["user_id:u1", f"anonymous_id:{UUID}"]),
        ("u1", "u1", ["user_id:u1"]),
    ],
)
def test_posthogs_alias_knows_the_generated_id_whatever_its_place(
    alias: str, distinct: str, identifiers: list[str]
) -> None:
    door = Door()
    body = {"api_key": KEY, "event": "$create_alias", "properties": {"alias": alias, "distinct_id": distinct}}
    assert door.send("POST", "/e/", body, key=None).json()["accepted"] == 1
    assert door.kept.events[0].identifiers == identifiers


def test_posthogs_older_forms_are_read() -> None:
    event = {"event": "x", "properties": {"distinct_id": "u", "token": KEY}, "uuid": "e1", "offset": 5000}
    packed = b64encode(msgspec.json.encode(event))
    for body in (msgspec.json.encode([event]), msgspec.json.encode(event), b"data=" + packed):
        door = Door()
        assert door.send("POST", "/capture/", body, key=None).json()["accepted"] == 1
        assert door.kept.events[0].message_id == "e1"
        assert KEY not in str(door.kept.events)


def test_the_age_of_an_event_counts_back_from_when_it_was_sent() -> None:
    door = Door()
    event = {"event": "x", "properties": {"distinct_id": "u"}, "offset": 5000}
    door.send("POST", "/e/", {"api_key": KEY, "batch": [event], "sent_at": "2001-01-01T00:00:00Z"}, key=None)
    assert door.kept.events[0].timestamp_ms == NOW_MS - 5000


def test_snowplows_orders_screens_and_wrong_events() -> None:
    screen = {
        "schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
        "data": {
            "schema": "iglu:com.snowplowanalytics.mobile/screen_view/jsonschema/1-0-0", "data": {"name": "Cart"},
        },
    }  # fmt: skip
    session = {"data": [{"schema": "iglu:c/client_session/jsonschema/1-0-2", "data": {"userId": "install-1"}}]}
    events = [
        {"e": "tr", "aid": KEY, "uid": "u", "eid": "1", "tr_id": "o1", "tr_tt": "19.50", "tr_cu": "EUR"},
        {"e": "ue", "aid": KEY, "eid": "2", "ue_px": urlsafe_b64encode(msgspec.json.encode(screen)).decode(),
         "co": msgspec.json.encode(session).decode()},
        {"e": "zz", "aid": KEY},
        {"e": "ue", "aid": KEY, "uid": "u", "ue_px": "%%%"},
    ]  # fmt: skip
    door = Door()
    reply = door.send("POST", "/com.snowplowanalytics.snowplow/tp2", {"schema": "iglu:x", "data": events}, key=None)
    assert [rejected["index"] for rejected in reply.json()["rejected"]] == [2, 3]
    order, view = door.kept.events
    assert (order.name, order.properties) == (
        "Order Completed", {"order_id": "o1", "revenue": "19.50", "currency": "EUR"},
    )  # fmt: skip
    assert (view.type, view.properties["name"], view.identifiers) == ("screen", "Cart", ["anonymous_id:install-1"])


@pytest.mark.parametrize(
    ("attributes", "accepted"),
    [
        ({}, 1),
        ({"id": ""}, 0),
        ({"source": None}, 0),
        ({"data": "text"}, 0),
        ({"data": None, "data_base64": b64encode(b'{"userId":"u"}').decode()}, 1),
        ({"data": None, "data_base64": "///"}, 0),
        ({"data": {"type": "identify", "userId": "u", "traits": {"email": "a@b.org"}}}, 1),
        ({"data": {}, "userid": "u"}, 1),
    ],
)
def test_cloudevents_need_their_attributes_and_an_object(attributes: dict[str, Any], accepted: int) -> None:
    door = Door()
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "x", "data": {"userId": "u"}, **attributes}
    assert door.send("POST", "/cloudevents", event).json()["accepted"] == accepted
    assert len(door.kept.records) == 1


def test_a_sender_of_cloudevents_is_allowed_by_its_key() -> None:
    door = Door()
    handshake = {"webhook-request-origin": "events.example"}
    assert door.send("OPTIONS", "/cloudevents", headers=handshake, key=None).status == 401
    allowed = door.send("OPTIONS", "/cloudevents", headers=handshake)
    assert (allowed.status, allowed.headers["webhook-allowed-origin"]) == (200, "events.example")


EVENT = {"type": "track", "event": "x", "userId": "u", "messageId": "m"}


@pytest.mark.parametrize(
    ("body", "accepted"),
    [(EVENT, 1), ([EVENT, EVENT], 2), ({"events": [EVENT]}, 1), ([], 0), ({"events": []}, 0), ({**EVENT, "a": 1}, 0)],
)
def test_the_plain_endpoint_does_what_its_description_says(body: Any, accepted: int) -> None:
    spec: Any = msgspec.json.decode(Door().send("GET", "/openapi.json", key=None).body)
    assert spec == msgspec.to_builtins(OPENAPI)
    operation = spec["paths"]["/v1/events"]["post"]
    schemas = {"components": spec["components"]}
    asked = operation["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**asked, **schemas}).validate(body)
    reply = Door().send("POST", "/v1/events", body)
    answered = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**answered, **schemas}).validate(reply.json())
    assert reply.json()["accepted"] == accepted


def test_every_refusal_has_the_described_form() -> None:
    form = {**OPENAPI["components"]["schemas"]["Refused"]}
    for reply in (Door().send("POST", "/v1/events", EVENT, key=None), Door().send("POST", "/v1/nothing", EVENT)):
        jsonschema.Draft202012Validator(form).validate(reply.json())


def test_the_pages_that_sdks_ask_for_need_a_known_key() -> None:
    door = Door(shop(dialects=["segment", "posthog", "rudderstack"]))
    assert door.send("GET", f"/v1/projects/{KEY}/settings", key=None).json()["integrations"]["Segment.io"]
    assert door.send("GET", f"/array/{KEY}/config", key=None).json()["token"] == KEY
    assert door.send("GET", f"/sourceConfig/?writeKey={KEY}", key=None).json()["source"]["enabled"] is True
    for target in ("/v1/projects/no/settings", "/array/no/config", "/sourceConfig/?writeKey=no", "/sourceConfig"):
        assert door.send("GET", target, key=None).status == 401
    assert door.send("POST", "/flags/?v=2", {"token": KEY}, key=None).json()["flags"] == {}
    for target in (f"/array/{KEY}/config.js", "/static/1.2.3/surveys.js"):
        assert door.send("GET", target, key=None).status == 404
