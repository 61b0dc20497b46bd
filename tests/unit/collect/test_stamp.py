"""What the server knows of an event, and what a source wants removed from it."""

from pathlib import Path

from connectors.collect.request import Request
from tests.support.collecting import Door, shop

CALL = {
    "event": "x", "userId": "u", "messageId": "m", "properties": {"card_number": "4111", "shop": "north"},
    "traits": {"birthday": "1990-01-01"}, "context": {"traits": {"email": "a@b.org", "birthday": "1990-01-01"}},
}  # fmt: skip
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def test_address_and_user_agent_of_a_visitor_are_kept_shortened_and_parsed() -> None:
    door = Door()
    door.send("POST", "/v1/track", CALL, {"user-agent": FIREFOX})
    context = door.kept.events[0].context
    assert context["ip"] == "203.0.113.0"
    assert context["userAgent"] == FIREFOX
    assert (context["browser"], context["os"]["name"]) == ({"name": "Firefox", "version": "140.0"}, "Linux")


def test_the_address_of_a_server_is_not_the_customers() -> None:
    door = Door(shop(channel="pos"))
    door.send("POST", "/v1/track", {**CALL, "context": {}}, {"user-agent": "python-requests/2"})
    assert door.kept.events[0].context == {}
    door.send("POST", "/v1/track", {**CALL, "context": {"ip": "198.51.100.23"}})
    assert door.kept.events[1].context == {"ip": "198.51.100.0"}


def test_a_server_that_sends_for_a_web_site_is_no_visitor() -> None:
    door = Door()
    door.send("POST", "/v1/track", {**CALL, "context": {}}, {"user-agent": "analytics-python/2.4.0"})
    assert door.kept.events[0].context == {}


def test_the_address_is_dropped_or_kept_as_the_source_says() -> None:
    for policy, expected in (("drop", None), ("keep", "203.0.113.77")):
        door = Door(shop(ip=policy))
        door.send("POST", "/v1/track", CALL, {"user-agent": FIREFOX})
        assert door.kept.events[0].context.get("ip") == expected


def test_fields_are_dropped_and_hashed(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")
    source = shop(drop=["properties.card_number", "traits.birthday"], hash=["userId"], hash_key_file="key")
    door = Door(source, folder=tmp_path)
    door.send("POST", "/v1/track", CALL)
    door.send("POST", "/v1/track", {**CALL, "messageId": "m2"})
    first, second = door.kept.events
    assert first.properties == {"shop": "north"}
    assert first.traits == {}
    assert first.context["traits"] == {"email": "a@b.org"}
    assert first.identifiers[0] != "user_id:u"
    assert first.identifiers == second.identifiers


def test_crawlers_are_marked_or_dropped_and_counted() -> None:
    marked, dropping = Door(), Door(shop(bots="drop"))
    marked.send("POST", "/v1/track", CALL, {"user-agent": CRAWLER})
    assert marked.kept.events[0].context["bot"] is True
    reply = dropping.send("POST", "/v1/track", CALL, {"user-agent": CRAWLER})
    assert reply.json() == {"success": True, "accepted": 0, "rejected": [], "dropped": {"bot": 1}}
    assert dropping.kept.records == []
    assert b'outcome="bot"' in dropping.metrics.expose()[0]


def test_a_query_with_too_many_fields_has_none() -> None:
    assert Request("GET", "/i", "&".join(f"a{number}=1" for number in range(2000))).query == {}
