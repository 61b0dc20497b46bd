"""A rejected item that its sender sends again is one item in the quarantine; equal items of one request are several."""

from pathlib import Path

import msgspec

from tests.support.collecting import NOW_MS, Door, shop
from tests.unit.collect.test_webhooks import SECONDS, standard

BAD = {"type": "track", "event": "", "messageId": "dev"}


def items(door: Door) -> list[str]:
    return [facts["item"] for _, facts in door.kept.quarantined]


def test_a_batch_that_is_sent_again_has_the_same_items():
    door = Door()
    for sent_at in ("2026-09-21T13:00:00Z", "2026-09-21T13:00:05Z"):
        door.send("POST", "/v1/batch", {"sentAt": sent_at, "batch": [BAD, BAD, BAD | {"event": 1}]})

    first, again = items(door)[:3], items(door)[3:]
    assert first == again
    assert len(set(first)) == 3
    assert [record.key.decode() for record in door.kept.records] == first + again


def test_the_source_is_part_of_an_item():
    ours, theirs = Door(), Door(shop(name="app"))
    for door in (ours, theirs):
        door.send("POST", "/v1/track", BAD)

    assert items(ours) != items(theirs)


def test_other_bytes_under_the_same_message_id_are_another_item_of_an_sdk():
    door = Door()
    door.send("POST", "/v1/batch", {"batch": [BAD, BAD | {"properties": {"a": 1}}]})

    assert len(set(items(door))) == 2


def test_a_webhook_that_is_delivered_again_is_the_same_item_whatever_the_number_of_the_attempt(tmp_path: Path):
    (tmp_path / "secret").write_bytes(b"whsec_MDEyMzQ1Njc4OWFiY2RlZg==")
    door = Door(shop(webhooks=[{"vendor": "standard", "secret_files": ["secret"]}]), folder=tmp_path)
    for attempt in (1, 2):
        body = msgspec.json.encode({"type": "", "attempt": attempt, "data": {"userId": "u"}})
        door.now_ms = NOW_MS + attempt
        reply = door.send("POST", "/webhooks/standard/shop", body, standard(body, "", SECONDS), key=None)
        assert reply.status == 200

    assert len(items(door)) == 2
    assert len(set(items(door))) == 1
