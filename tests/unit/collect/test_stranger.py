"""A stranger gets nothing: the table of attempts and answers. Nothing is kept of any of them."""

import gzip
import zlib
from typing import Any

import pytest

from connectors.collect.address import TrustedProxies, anonymised
from connectors.collect.app import Limits
from connectors.collect.write_keys import hash_of
from tests.support.collecting import KEY, Door, shop

CALL = {"event": "x", "userId": "u", "messageId": "m"}
OTHER = shop(name="other", tenant="other", write_keys=[hash_of("wk_other")], origins=[], dialects=["json"])
BOMB = gzip.compress(b"0" * (8 << 20))
SMALL = Limits(max_body_bytes=100_000)


@pytest.mark.parametrize(
    ("status", "target", "headers", "key"),
    [
        (401, "/v1/track", {}, None),
        (401, "/v1/track", {}, ""),
        (401, "/v1/track", {}, "wk_unknown"),
        (401, "/v1/track", {}, hash_of(KEY)),
        (401, "/v1/track", {}, KEY + " "),
        (401, "/v1/track", {}, "x" * 100_000),
        (401, "/v1/track", {"authorization": "Basic !!!"}, None),
        (401, "/v1/track", {"authorization": "Basic /////w=="}, None),
        (401, f"/v1/track?writeKey={KEY}", {"authorization": "Bearer wk_unknown"}, None),
        (403, "/v1/track", {}, "wk_other"),
        (403, "/v1/track", {"origin": "https://evil.example"}, KEY),
        (403, "/v1/track", {"origin": "null"}, KEY),
        (403, "/v1/track", {"origin": "https://shop.example.evil.example"}, KEY),
        (403, "/v1/track", {"origin": "https://shop.example\tx"}, KEY),
        (403, "/v1/events", {"origin": "https://shop.example"}, "wk_other"),
        (404, "/v1/../v1/track", {}, KEY),
        (404, "//v1/track", {}, KEY),
        (404, "/V1/track", {}, KEY),
        (404, "/v1/track//", {}, KEY),
        (404, "/metrics", {}, KEY),
        (404, "/array/x/config.js", {}, KEY),
        (404, "/static/1.2/surveys.js", {}, KEY),
        (404, "/.env", {}, KEY),
        (413, "/v1/track", {"content-length": "100001"}, KEY),
        (415, "/v1/track", {"content-encoding": "br"}, KEY),
    ],
)
def test_each_attempt_has_its_answer_and_leaves_nothing(
    status: int, target: str, headers: dict[str, str], key: str | None
) -> None:
    door = Door(shop(), OTHER, limits=SMALL)
    reply = door.send("POST", target, CALL, headers, key=key)
    assert reply.status == status
    assert reply.json()["success"] is False
    assert door.kept.records == []
    assert KEY.encode() not in reply.body


def test_a_percent_encoded_path_is_no_other_spelling_of_a_path() -> None:
    door = Door()
    scope_path = "/v1/%74rack"
    assert door.send("POST", scope_path, CALL).status == 404


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("PUT", 405), ("DELETE", 405), ("TRACE", 405)])
def test_other_methods_are_refused(method: str, status: int) -> None:
    reply = Door().send(method, "/v1/track", CALL)
    assert (reply.status, reply.headers["allow"]) == (status, "POST")


@pytest.mark.parametrize(
    "body", [BOMB, zlib.compress(b"0" * (8 << 20)), gzip.compress(BOMB * 40) + BOMB, b"x" * 100_001]
)
def test_what_is_too_large_before_or_after_decompression_is_refused(body: bytes) -> None:
    door = Door(limits=SMALL)
    headers = {"content-encoding": "deflate"} if body[:1] == b"x" and body[1] != 0x78 else {}
    reply = door.send("POST", "/v1/batch", body, headers)
    assert reply.status == 413
    assert door.kept.records == []


def test_many_members_of_gzip_count_together() -> None:
    door = Door(limits=SMALL)
    assert door.send("POST", "/v1/batch", gzip.compress(b" " * 60_000) * 2).status == 413


def test_a_revoked_key_is_unknown() -> None:
    door = Door(shop(write_keys=[hash_of("wk_new")]))
    assert door.send("POST", "/v1/track", CALL).status == 401
    assert door.send("POST", "/v1/track", CALL, key="wk_new").status == 200


def test_two_keys_are_valid_while_one_is_rotated() -> None:
    door = Door(shop(write_keys=[hash_of("wk_new"), hash_of(KEY)]))
    assert [door.send("POST", "/v1/track", CALL, key=key).status for key in (KEY, "wk_new")] == [200, 200]


def test_over_the_rate_the_answer_says_when_to_come_back() -> None:
    door = Door(shop(rate=2))
    statuses = [door.send("POST", "/v1/track", CALL).status for _ in range(6)]
    assert statuses == [200, 200, 200, 200, 429, 429]
    assert door.send("POST", "/v1/track", CALL).headers["retry-after"] == "1"
    door.now_ms += 1000
    assert door.send("POST", "/v1/track", CALL).status == 200


def test_over_the_daily_cap_the_answer_is_to_come_back_tomorrow() -> None:
    door = Door(shop(daily_cap=2))
    batch: Any = {"batch": [{**CALL, "type": "track", "messageId": f"m{number}"} for number in range(3)]}
    assert door.send("POST", "/v1/batch", batch).json()["accepted"] == 3
    reply = door.send("POST", "/v1/track", CALL)
    assert reply.status == 429
    door.now_ms += int(reply.headers["retry-after"]) * 1000
    assert door.send("POST", "/v1/track", CALL).status == 200


def test_a_full_spool_is_answered_with_503_and_retry_after() -> None:
    door = Door()
    door.kept.full = True
    reply = door.send("POST", "/v1/track", CALL)
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")


def test_all_bodies_together_are_bounded() -> None:
    door = Door(limits=Limits(max_body_bytes=1000, max_buffered_bytes=500))
    assert door.send("POST", "/v1/track", CALL).status == 503
    assert door.send("POST", "/v1/track", CALL, {"content-length": "60"}).status == 200


def test_a_preflight_is_answered_for_the_origins_of_the_sources_only() -> None:
    door = Door()
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,anonymousid"}
    allowed = door.send("OPTIONS", "/v1/track", headers={"origin": "https://shop.example", **asked}, key=None)
    assert allowed.status == 204
    assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
    assert allowed.headers["access-control-allow-headers"] == "authorization,anonymousid"
    assert allowed.headers["access-control-allow-credentials"] == "true"
    refused = door.send("OPTIONS", "/v1/track", headers={"origin": "https://evil.example", **asked}, key=None)
    assert refused.status == 403
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("*", "https://any.example", True),
        ("*", "null", True),
        ("https://*.shop.example", "https://www.shop.example", True),
        ("https://*.shop.example", "https://a.b.shop.example", True),
        ("https://*.shop.example", "https://shop.example", False),
        ("https://*.shop.example", "https://.shop.example", False),
        ("https://*.shop.example", "http://www.shop.example", False),
        ("https://*.shop.example", "https://evilshop.example", False),
        ("https://shop.example", "https://SHOP.example", True),
        ("https://shop.example", "https://shop.example:8443", False),
        ("*", "https://x\r\nset-cookie: a", False),
    ],
)
def test_origins(pattern: str, origin: str, allowed: bool) -> None:
    door = Door(shop(origins=[pattern]))
    assert (door.send("POST", "/v1/track", CALL, {"origin": origin}).status == 200) is allowed


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.7", "1.2.3.4"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
    ],
)
def test_only_a_trusted_proxy_names_the_client(peer: str, forwarded: str, client: str) -> None:
    assert TrustedProxies("10.0.0.0/8").client_of(peer, forwarded) == client


def test_addresses_are_shortened() -> None:
    assert anonymised("203.0.113.77") == "203.0.113.0"
    assert anonymised("2001:db8:1:2:3::4") == "2001:db8:1::"
    assert anonymised("::ffff:203.0.113.77") == "203.0.113.0"
    assert anonymised("nonsense") == ""
