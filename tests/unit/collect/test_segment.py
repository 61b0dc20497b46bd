"""Segment's API and its kin: every path, batch context, clock correction, and the outcome of each item."""

from base64 import b64encode
from typing import Any

import pytest

from tests.support.collecting import KEY, NOW_MS, Door, shop, squeezed

TRACK = {
    "type": "track", "event": "Order Completed", "messageId": "m1", "userId": "u1", "anonymousId": "a1",
    "properties": {"revenue": 19.5, "currency": "EUR"}, "timestamp": "2026-09-21T13:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/track", "/v1/t", "/v1/t/", "/api/s/track", "/api/s/s2s/track"])
def test_a_single_call_is_taken_on_each_path(path: str) -> None:
    door = Door()
    reply = door.send("POST", path, {name: TRACK[name] for name in TRACK if name != "type"})
    assert (reply.status, reply.json()) == (200, {"success": True, "accepted": 1, "rejected": []})
    [event] = door.kept.events
    assert (event.type, event.name, event.source, event.tenant, event.channel) == (
        "track", "Order Completed", "shop", "default", "web",
    )  # fmt: skip
    assert event.identifiers == ["user_id:u1", "anonymous_id:a1"]
    assert door.kept.records[0].key == b"default/user_id:u1"


@pytest.mark.parametrize(
    ("short", "kind"), [("i", "identify"), ("p", "page"), ("s", "screen"), ("g", "group"), ("a", "alias")]
)
def test_short_paths_name_the_type(short: str, kind: str) -> None:
    for path in (f"/v1/{short}", f"/v1/{kind}"):
        door = Door()
        body = {"userId": "u1", "groupId": "g", "previousId": "a", "messageId": "m"}
        assert door.send("POST", path, body).status == 200
        assert [event.type for event in door.kept.events] == [kind]


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"])
def test_a_batch_merges_its_context_into_each_item(path: str) -> None:
    door = Door()
    body = {
        "batch": [TRACK, {**TRACK, "messageId": "m2", "context": {"locale": "de"}}],
        "context": {"app": {"name": "x"}, "locale": "en"},
    }
    assert door.send("POST", path, body).json()["accepted"] == 2
    first, second = door.kept.events
    assert (first.context["locale"], second.context["locale"]) == ("en", "de")
    assert second.context["app"] == {"name": "x"}


def test_a_wrong_device_clock_is_corrected() -> None:
    door = Door()
    body = {"batch": [{**TRACK, "timestamp": "2001-01-01T00:00:00Z"}], "sentAt": "2001-01-01T00:00:10Z"}
    door.send("POST", "/v1/batch", body)
    assert door.kept.events[0].timestamp_ms == NOW_MS - 10_000


def test_a_call_without_a_time_happens_when_it_is_received() -> None:
    door = Door()
    door.send("POST", "/v1/track", {"event": "x", "userId": "u"})
    assert door.kept.events[0].timestamp_ms == NOW_MS


def test_a_bad_item_is_quarantined_with_its_bytes_and_the_rest_is_taken() -> None:
    door = Door()
    bad = b'{"type":"track",  "userId":"u\\u00e9", "messageId":"m9"}'
    body = b'{"batch":[{"type":"page","userId":"u","messageId":"m"}, ' + bad + b" ]}"
    reply = door.send("POST", "/v1/batch", body)
    assert reply.status == 200
    assert reply.json()["accepted"] == 1
    [rejected] = reply.json()["rejected"]
    assert (rejected["index"], rejected["reason"]) == (1, "invalid_field")
    [(raw, facts)] = door.kept.quarantined
    assert raw == bad
    assert facts["reason"] == "invalid_field"
    assert (facts["stage"], facts["source"], facts["dialect"]) == ("collect", "shop", "segment")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"batch":3}', b'{"batch":[1]}', b"[" * 9999]
)
def test_a_body_that_is_no_batch_is_quarantined_whole(body: bytes) -> None:
    door = Door()
    reply = door.send("POST", "/v1/batch", body)
    assert (reply.status, reply.json()["accepted"]) == (200, 0)
    [(raw, _)] = door.kept.quarantined
    assert raw in (body, b"1")


def test_compression_is_recognised_whatever_the_headers_say() -> None:
    for headers in ({}, {"content-encoding": "gzip"}, {"content-type": "application/x-www-form-urlencoded"}):
        door = Door()
        assert door.send("POST", "/v1/batch", squeezed({"batch": [TRACK]}), headers).json()["accepted"] == 1


def test_the_key_is_found_in_body_query_and_header() -> None:
    for target, body, headers in (
        ("/v1/track", {**TRACK, "writeKey": KEY}, {}),
        (f"/v1/track?writeKey={KEY}", TRACK, {}),
        ("/v1/track", TRACK, {"X-Write-Key": f"{KEY}:secret"}),
        ("/v1/track", TRACK, {"Authorization": f"Bearer {KEY}"}),
    ):
        door = Door()
        assert door.send("POST", target, body, headers, key=None).status == 200
        assert KEY not in str(door.kept.events)


def test_rudderstacks_anonymous_id_header_is_read() -> None:
    door = Door()
    body = {name: TRACK[name] for name in TRACK if name != "anonymousId"}
    door.send("POST", "/v1/track", body, {"AnonymousId": b64encode(b"anon-7").decode()})
    assert "anonymous_id:anon-7" in door.kept.events[0].identifiers


def test_a_pixel_is_a_call_and_its_answer_an_image() -> None:
    door = Door()
    data = b64encode(b'{"writeKey":"%s","event":"Email Opened","userId":"u"}' % KEY.encode()).decode().rstrip("=")
    reply = door.send("GET", f"/v1/pixel/track?data={data}", key=None)
    assert reply.headers["content-type"] == "image/gif"
    assert reply.body.startswith(b"GIF89a")
    assert door.kept.events[0].name == "Email Opened"


def test_an_alias_of_an_id_with_itself_links_nothing() -> None:
    door = Door()
    door.send("POST", "/v1/alias", {"userId": "u1", "previousId": "u1", "messageId": "m"})
    assert door.kept.events[0].identifiers == ["user_id:u1"]


def test_what_an_event_states_of_tenant_source_and_channel_does_not_count() -> None:
    door = Door(shop(tenant="north"))
    door.send("POST", "/v1/track", {**TRACK, "tenant": "south", "source": "crm", "channel": "crm"})
    [event] = door.kept.events
    assert (event.tenant, event.source, event.channel) == ("north", "shop", "web")


def ids(body: Any) -> list[str]:
    door = Door()
    door.send("POST", "/v1/batch", body)
    return [event.message_id for event in door.kept.events]


def test_a_repeated_call_without_an_id_has_the_same_id() -> None:
    call = {"type": "track", "event": "x", "userId": "u", "timestamp": "2026-09-21T13:00:00Z"}
    assert ids({"batch": [call], "sentAt": "2026-09-21T13:00:01Z"}) == ids(
        {"batch": [{**call}], "sentAt": "2026-09-21T13:07:00Z"}
    )
    assert ids({"batch": [call]}) != ids({"batch": [{**call, "event": "y"}]})


def test_numbers_that_no_json_parser_agrees_on_lose_no_batch() -> None:
    door = Door()
    reply = door.send(
        "POST", "/v1/batch", b'{"batch":[{"type":"page","userId":"u","messageId":"m","properties":{"x":NaN}}]}'
    )
    assert reply.json()["accepted"] == 1
    assert door.kept.events[0].properties == {"x": None}
    door.send("POST", "/v1/track", b'{"event":"x","userId":"u","properties":{"n":123456789012345678901234567890}}')
    assert door.kept.events[1].properties == {"n": 123456789012345678901234567890}
