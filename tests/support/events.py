"""Web events as producers write them."""

from typing import Any

from pipeline.avro.wire import Decoder, Encoder
from pipeline.event.avro import EMPTY
from pipeline.event.identifier import key_of
from pipeline.settings import Settings
from pipeline.topics import UPDATES
from schemas import own_id
from tests.support.records import Sent, committed

SCHEMA = "event-web"
write = Encoder(SCHEMA, own_id(SCHEMA))


def web_event(message_id: str, identifiers: list[str], timestamp_ms: int, **changed: Any) -> dict[str, Any]:
    """The Avro record of a page view."""
    return {
        "tenant": "default", "source": "shop", "message_id": message_id, "type": "page", "event": "",
        "timestamp_ms": timestamp_ms, "identifiers": identifiers, "properties": EMPTY, "context": EMPTY,
        "traits": EMPTY, **changed,
    }  # fmt: skip


def as_sent(record: dict[str, Any]) -> Sent:
    """The event under its anchor, which must be its first identifier."""
    return Sent(key_of(record["tenant"], record["identifiers"][0]).encode(), write(record))


def events_of_profiles(settings: Settings) -> dict[str, int]:
    """How many events each profile that is not merged counts, by its first identifier, as published last."""
    decode, newest = Decoder("profile-update"), {}
    for message in committed(settings, UPDATES):
        newest[message.key()] = decode(message.value())
    return {
        update["identifiers"][0]: update["aggregates"]["events"]["lifetime"]
        for update in newest.values()
        if update["status"] == "active"
    }
