"""Events as JSON: a strict parser and a writer for the Segment spec with ``channel`` and ``identifiers``.

>>> event = parse_event({
...     "type": "track", "event": "Order Completed", "messageId": "m1", "userId": "u1", "channel": "web",
...     "timestamp": "2026-03-01T12:00:00Z", "properties": {"revenue": 19.99}, "identifiers": {"email": "a@b.org"},
... })
>>> event.identifiers, event.timestamp_ms
(['user_id:u1', 'email:a@b.org'], 1772366400000)
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pipeline.event.alias import ALIAS, PREVIOUS
from pipeline.event.envelope import channel_of, refuse_unknown
from pipeline.event.errors import InvalidEventError
from pipeline.event.event_time import FORMS, event_time
from pipeline.event.identifier import type_of, value_of
from pipeline.event.instant import format_instant
from pipeline.event.model import TYPES, Channel, Event
from pipeline.event.places import identifiers_of, json_type, scalar


class Defaults(Struct, frozen=True, kw_only=True):
    """Values for fields that an event does not state. Empty: the event must state the field."""

    tenant: str = "default"
    source: str = ""
    """Empty: the name of the channel is used."""
    channel: Channel | None = None
    message_id: str = ""


NO_DEFAULTS = Defaults()


def parse_event(document: Mapping[str, Any], defaults: Defaults = NO_DEFAULTS) -> Event:
    """Returns the event that a JSON document describes. Neither normalises it nor checks limits.

    Identifiers are read from their standard places (:mod:`pipeline.event.places`). The event shares the document's
    objects: normalising the event changes them.

    Raises:
        InvalidEventError: a field is missing, unknown or of the wrong type; the message names it.
    """
    refuse_unknown(document)
    kind = _kind(document)
    context = _bag(document, "context")
    channel = channel_of(document, context, defaults.channel)
    properties = _bag(document, "properties")
    traits = _bag(document, "traits")
    name = _text(document, "event") if kind == "track" else ""
    if kind == "track" and not name:
        field = "event"
        raise InvalidEventError(field, 'a track call needs the name of what happened, e.g. "Product Viewed"')
    _adopt(document, kind, properties, context)
    return Event(
        tenant=_text(document, "tenant") or defaults.tenant,
        source=_text(document, "source") or defaults.source or channel,
        message_id=_message_id(document, defaults),
        channel=channel,
        type=kind,
        name=name,
        timestamp_ms=_timestamp_ms(document),
        identifiers=identifiers_of(document, kind, traits, context),
        properties=properties,
        context=context,
        traits=traits,
    )


def to_json(event: Event) -> dict[str, Any]:
    """Returns the document that :func:`parse_event` reads back. Omits empty fields; amounts are in properties."""
    grouped: dict[str, list[str]] = {}
    for ident in event.identifiers:
        grouped.setdefault(type_of(ident), []).append(value_of(ident))
    document: dict[str, Any] = {
        "type": event.type,
        "event": event.name,
        "messageId": event.message_id,
        "tenant": event.tenant,
        "channel": event.channel,
        "source": event.source,
        "timestamp": format_instant(event.timestamp_ms) or event.timestamp_ms,
        "userId": _take_first(grouped, "user_id"),
        "anonymousId": _take_first(grouped, "anonymous_id"),
        "identifiers": {kind: values[0] if len(values) == 1 else values for kind, values in grouped.items()},
        "properties": event.properties,
        "context": event.context,
        "traits": event.traits,
    }
    return {field: value for field, value in document.items() if value not in ("", {})}


def _take_first(grouped: dict[str, list[str]], kind: str) -> str:
    """Removes and returns the first value of a type; removes the type when no value is left."""
    values = grouped.get(kind)
    if not values:
        return ""
    first = values.pop(0)
    if not values:
        del grouped[kind]
    return first


def _text(document: Mapping[str, Any], field: str) -> str:
    """Returns a string field, "" if the document does not have it."""
    value = document.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidEventError(field, f"must be a string, not {json_type(value)}")
    return value


def _kind(document: Mapping[str, Any]) -> str:
    value = _text(document, "type")
    if value not in TYPES:
        field = "type"
        raise InvalidEventError(field, f"must be one of {', '.join(TYPES)}")
    return value


def _bag(document: Mapping[str, Any], field: str) -> dict[str, Any]:
    value = document.get(field)
    if value is None or value == []:  # PHP writes an empty object as an empty array
        return {}
    if not isinstance(value, dict):
        raise InvalidEventError(field, f"must be an object, not {json_type(value)}")
    return value


def _adopt(document: Mapping[str, Any], kind: str, properties: dict[str, Any], context: dict[str, Any]) -> None:
    """Moves top-level fields of page, screen, group and alias calls into properties and context."""
    if kind in ("page", "screen"):
        for field in ("name", "category"):
            if text := _text(document, field):
                properties.setdefault(field, text)
    if group := scalar("groupId", document.get("groupId")):
        context.setdefault("groupId", group)
    previous = scalar(PREVIOUS, document.get(PREVIOUS)) if kind == ALIAS else ""
    if previous and previous != scalar("userId", document.get("userId")):
        context.setdefault(PREVIOUS, previous)


def _message_id(document: Mapping[str, Any], defaults: Defaults) -> str:
    message_id = scalar("messageId", document.get("messageId")) or defaults.message_id
    if not message_id:
        field = "messageId"
        raise InvalidEventError(field, "is required: an id that stays the same when the event is sent again")
    return message_id


def _timestamp_ms(document: Mapping[str, Any]) -> int:
    timestamp_ms = event_time(document)
    if timestamp_ms is None:
        field = "timestamp"
        raise InvalidEventError(field, FORMS)
    return timestamp_ms
