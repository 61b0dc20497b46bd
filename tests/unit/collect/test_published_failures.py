"""Failures of other collectors as their users reported them, and what this one does with the same requests.

Each case names where it was reported. The rule is the same in all: what can be read is taken, what cannot is in the
quarantine as sent, and the answer is one on which an SDK loses nothing and does not send for ever.
"""

import msgspec
import pytest

from connectors.collect.write_keys import hash_of
from tests.support.collecting import KEY, Door, Reply, shop

GOOD = {"type": "track", "event": "Product Viewed", "messageId": "m1", "userId": "u1"}
TRACKER = "/com.snowplowanalytics.snowplow/tp2"


@pytest.fixture
def door() -> Door:
    return Door(shop(write_keys=[hash_of(KEY)]))


def quarantined(door: Door) -> list[tuple[bytes, str]]:
    return [(raw, facts["reason"]) for raw, facts in door.kept.quarantined]


def captured(door: Door, **fields: object) -> Reply:
    """Sends one PostHog event."""
    return door.send("POST", "/i/v0/e/", {"api_key": KEY, "event": "seen", "distinct_id": "u1", **fields}, key=None)


def test_an_event_without_any_id_does_not_fail_its_batch(door):
    """rudder-sdk-android#367, rudder-sdk-ios#420: a race left out both ids, and the batch was refused for ever."""
    nameless = {"type": "track", "event": "x", "messageId": "m2", "context": {}}
    reply = door.send("POST", "/v1/batch", {"batch": [GOOD, nameless, GOOD | {"messageId": "m3"}]})

    assert reply.status == 200
    assert [event.message_id for event in door.kept.events] == ["m1", "m3"]
    assert quarantined(door) == [(msgspec.json.encode(nameless), "no_identifier")]


@pytest.mark.parametrize("fragment", [b"x", b'"', b"{", b",,"])
def test_a_fragment_instead_of_an_event_keeps_the_whole_body_for_repair(door, fragment):
    """rudder-sdk-android#486: a single character in the database made each batch with it invalid JSON."""
    body = b'{"batch":[' + msgspec.json.encode(GOOD) + b"," + fragment + b"]}"
    reply = door.send("POST", "/v1/batch", body)

    assert reply.status == 200
    assert quarantined(door) == [(body, "undecodable")]


@pytest.mark.parametrize("batch", [[], None])
def test_an_empty_batch_is_done(door, batch):
    """rudder-server#3947: an empty batch was refused as invalid JSON, on which SDKs give up."""
    reply = door.send("POST", "/v1/batch", {"batch": batch})

    assert reply.status == 200
    assert reply.json()["accepted"] == 0


@pytest.mark.parametrize(
    "body", [[{"data": "valid-json", "foo": "bar"}], {"batch": [{"data": 1}]}, {"batch": [[GOOD]]}]
)
def test_json_that_is_no_event_is_quarantined_and_crashes_nothing(door, body):
    """rudder-server#1997, #4556: valid JSON of another form passed the gateway, or made it panic."""
    reply = door.send("POST", "/v1/batch", body)

    assert reply.status == 200
    assert reply.json()["accepted"] == 0
    assert len(door.kept.quarantined) == 1


@pytest.mark.parametrize("query", ["a=%b", "e=pv&aid=%", "e=pv&p=web&aid={KEY}&uid=u1&url=%zz&eid=1"])
def test_a_wrong_percent_encoding_is_answered_with_the_pixel_and_kept(query):
    """snowplow/stream-collector#115, snowplow#114: such a query ended the job, or its bad row could not be read."""
    door = Door(shop())
    reply = door.send("GET", f"/i?{query.replace('{KEY}', KEY)}")

    assert reply.status == 200
    assert reply.headers["content-type"] == "image/gif"
    assert len(door.kept.events) + len(door.kept.quarantined) == 1
    assert all(raw.decode() in f"/i?{query.replace('{KEY}', KEY)}" for raw, _ in door.kept.quarantined)


def test_an_address_that_is_not_encoded_does_not_lose_the_event(door):
    """snowplow#3592, objectiv-analytics#1179: spaces and braces in a page's or a referrer's address."""
    url = "https://shop.example/?a=unencoded query {param}|%"
    headers = {"referer": url}
    events = [{"e": "pv", "p": "web", "uid": "u1", "eid": "e1", "url": url, "refr": url, "aid": KEY}]
    reply = door.send("POST", TRACKER, {"schema": "iglu:payload_data/1-0-4", "data": events}, headers, key=None)

    assert reply.json()["accepted"] == 1
    assert door.kept.events[0].context["page"]["url"] == url


def test_a_null_byte_in_an_id_is_refused_with_the_reason(door):
    """PostHog#35348: capture let a null byte through, which a later step replaced."""
    reply = captured(door, distinct_id="u\x001")

    assert [item["reason"] for item in reply.json()["rejected"]] == ["no_identifier"]
    assert [reason for _, reason in quarantined(door)] == ["no_identifier"]


def test_an_id_that_is_no_uuid_is_an_id(door):
    """PostHog#35684: an event with the uuid "50172" failed its whole batch with 400."""
    reply = door.send("POST", "/batch/", {
        "api_key": KEY, "historical_migration": True,
        "batch": [{"event": "documents:processed", "distinct_id": "organization-event", "uuid": "50172",
                   "timestamp": "2026-07-25T00:10:00.000Z", "properties": {"startedAt": None}}],
    }, key=None)  # fmt: skip

    assert reply.json()["accepted"] == 1
    assert door.kept.events[0].message_id == "50172"


@pytest.mark.parametrize(
    ("distinct_id", "properties", "identifier"),
    [("u1", {}, "user_id:u1"), (None, {"distinct_id": "u2"}, "user_id:u2"), ("", {"distinct_id": "u3"}, "user_id:u3")],
)
def test_the_id_is_read_from_both_places(door, distinct_id, properties, identifier):
    """PostHog#10996: the id is at the top or in the properties; an event with neither was answered 200 and dropped."""
    captured(door, distinct_id=distinct_id, properties=properties)

    assert door.kept.events[0].identifiers == [identifier]


@pytest.mark.parametrize("missing", [{"distinct_id": None}, {"distinct_id": ""}, {"distinct_id": " "}])
def test_an_event_without_a_person_is_answered_with_the_reason(door, missing):
    """PostHog#10996, posthog-js#3663: 200, and the event never appears."""
    reply = captured(door, **missing)

    assert reply.json()["accepted"] == 0
    assert [item["reason"] for item in reply.json()["rejected"]] == ["no_identifier"]


@pytest.mark.parametrize("offset", [b"NaN", b"Infinity", b"-1e999", b"1e400", b"1e300", b'"x"', b"[1]"])
def test_an_age_that_is_no_number_of_milliseconds_ends_no_request(door, offset):
    """PostHog#533: the offset that replaced device clocks, as a device with a broken clock computes it."""
    body = b'{"api_key":"%b","event":"seen","distinct_id":"u1","sent_at":"2026-09-21T13:00:00Z","offset":%b}'
    sent = body % (KEY.encode(), offset)
    reply = door.send("POST", "/i/v0/e/", sent)

    assert reply.status == 200
    assert len(door.kept.events) + len(door.kept.quarantined) == 1
    assert all(raw == sent for raw, _ in door.kept.quarantined)
