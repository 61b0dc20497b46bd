"""Events as JSON: the Segment spec with ``channel`` and ``identifiers``, strictly read, and written back.

>>> event = parse_event({
...     "type": "track", "event": "Order Completed", "messageId": "m1", "userId": "u1", "channel": "web",
...     "timestamp": "2026-03-01T12:00:00Z", "properties": {"revenue": 19.99}, "identifiers": {"email": "a@b.org"},
... })
>>> event.identifiers, event.timestamp_ms
(['user_id:u1', 'email:a@b.org'], 1772366400000)
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from pipeline.event.errors import InvalidEventError
from pipeline.event.identifier import Identifier, identifier, type_of, value_of
from pipeline.event.instant import format_instant, parse_instant
from pipeline.event.model import CHANNELS, TYPES, Channel, Event

_READ = frozenset({
    "type", "event", "name", "category", "groupId", "messageId", "userId", "anonymousId", "previousId", "identifiers",
    "timestamp", "originalTimestamp", "channel", "tenant", "source", "context", "properties", "traits",
})  # fmt: skip
_IGNORED = frozenset({"integrations", "version", "sentAt", "receivedAt", "writeKey", "projectId"})
"""Fields of the spec about the delivery, not about the customer. So is everything that starts with ``_``."""
_TRAIT_IDENTIFIERS = ("email", "phone")
_CALLS_WITHOUT_OWN_TRAITS = frozenset({"group"})
"""The traits of a group call describe an account, not the person."""


class Defaults(Struct, frozen=True, kw_only=True):
    """What a reader knows about events that do not say it themselves. Empty: the event must say it."""

    tenant: str = "default"
    source: str = ""
    """Empty: the name of the channel."""
    channel: Channel | None = None
    message_id: str = ""


NO_DEFAULTS = Defaults()


def parse_event(document: Mapping[str, Any], defaults: Defaults = NO_DEFAULTS) -> Event:
    """The event a JSON document describes. Nothing is normalised yet, and limits are :mod:`validate`'s to check.

    ``userId``, ``anonymousId``, ``identifiers``, an alias's ``previousId`` (as an anonymous id), and ``email`` and
    ``phone`` of ``context.traits`` or of an identify's ``traits`` all become identifiers. The event takes over the
    document's objects: normalising it changes them.

    Raises:
        InvalidEventError: a field is missing, unknown or of the wrong type; the message names it.
    """
    _refuse_unknown(document)
    kind = _choice(document, "type", TYPES, None)
    channel = _choice(document, "channel", CHANNELS, defaults.channel)
    context = _bag(document, "context")
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
        identifiers=_identifiers(document, kind, traits, context),
        properties=properties,
        context=context,
        traits=traits,
    )


def to_json(event: Event) -> dict[str, Any]:
    """The document :func:`parse_event` reads as this event. Empty fields are left out; amounts are in properties."""
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
    """The first value of a type, taken out of the group; a type with one value leaves with it."""
    values = grouped.get(kind)
    if not values:
        return ""
    first = values.pop(0)
    if not values:
        del grouped[kind]
    return first


def _refuse_unknown(document: Mapping[str, Any]) -> None:
    for field in document:
        if field not in _READ and field not in _IGNORED and not str(field).startswith("_"):
            raise InvalidEventError(str(field), "unknown field; own data belongs into properties or context")


def _text(document: Mapping[str, Any], field: str) -> str:
    """A string, "" where there is none."""
    value = document.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidEventError(field, f"must be a string, not {_json_type(value)}")
    return value


def _choice(document: Mapping[str, Any], field: str, choices: tuple[str, ...], default: str | None) -> str:
    value = _text(document, field) or default
    if value not in choices:
        raise InvalidEventError(field, f"must be one of {', '.join(choices)}")
    return value


def _bag(document: Mapping[str, Any], field: str) -> dict[str, Any]:
    value = document.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidEventError(field, f"must be an object, not {_json_type(value)}")
    return value


def _adopt(document: Mapping[str, Any], kind: str, properties: dict[str, Any], context: dict[str, Any]) -> None:
    """Keep what page, screen and group calls say at the top level where the other fields of their kind are."""
    if kind in ("page", "screen"):
        for field in ("name", "category"):
            if text := _text(document, field):
                properties.setdefault(field, text)
    if group := _scalar("groupId", document.get("groupId")):
        context.setdefault("groupId", group)


def _message_id(document: Mapping[str, Any], defaults: Defaults) -> str:
    message_id = _scalar("messageId", document.get("messageId")) or defaults.message_id
    if not message_id:
        field = "messageId"
        raise InvalidEventError(field, "is needed: an id that stays the same when the event is sent again")
    return message_id


def _timestamp_ms(document: Mapping[str, Any]) -> int:
    field = "timestamp" if document.get("timestamp") is not None else "originalTimestamp"
    value = document.get(field)
    if isinstance(value, str):
        timestamp_ms = parse_instant(value.strip())
        if timestamp_ms is not None:
            return timestamp_ms
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and value == value // 1:
        return int(value)
    field = "timestamp"
    raise InvalidEventError(field, "must be ISO 8601 (2026-03-01T12:00:00Z) or milliseconds since 1970")


def _identifiers(
    document: Mapping[str, Any], kind: str, traits: dict[str, Any], context: dict[str, Any]
) -> list[Identifier]:
    """All identifiers, unique, by type in order of first appearance, ``userId`` and ``anonymousId`` first."""
    grouped: dict[str, dict[str, None]] = {"user_id": {}, "anonymous_id": {}}
    sources = [_named(document, kind), _declared(document.get("identifiers"))]
    if kind not in _CALLS_WITHOUT_OWN_TRAITS:
        sources.append(_of_traits("traits", traits) if kind == "identify" else iter(()))
        sources.append(_of_traits("context.traits", context.get("traits")))
    for source in sources:
        for kind_of_identifier, value in source:
            if value:
                grouped.setdefault(kind_of_identifier, {})[value] = None
    return [identifier(name, value) for name, values in grouped.items() for value in values]


def _named(document: Mapping[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    yield "user_id", _scalar("userId", document.get("userId"))
    yield "anonymous_id", _scalar("anonymousId", document.get("anonymousId"))
    if kind == "alias":
        previous = _scalar("previousId", document.get("previousId"))
        if previous != _scalar("userId", document.get("userId")):  # else it says of a person that they are themselves
            yield "anonymous_id", previous


def _declared(identifiers: object) -> Iterator[tuple[str, str]]:
    """Type and values of the ``identifiers`` object."""
    field = "identifiers"
    if identifiers is None:
        return
    if not isinstance(identifiers, dict):
        raise InvalidEventError(field, 'must be an object of type to value or values: {"email": "a@b.org"}')
    for kind, values in identifiers.items():
        if not kind or ":" in kind:
            raise InvalidEventError(field, "a type is a word such as email or loyalty_id, with no colon")
        for value in values if isinstance(values, list) else [values]:
            yield kind, _scalar(f"identifiers.{kind}", value)


def _of_traits(field: str, traits: object) -> Iterator[tuple[str, str]]:
    """E-mail and phone among traits; traits of another shape hold none."""
    if isinstance(traits, dict):
        for name in _TRAIT_IDENTIFIERS:
            value = traits.get(name)
            if isinstance(value, (str, int)):
                yield name, _scalar(f"{field}.{name}", value)


def _scalar(field: str, value: object) -> str:
    """An id as text: strings as they are, integers in decimal, "" for none."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InvalidEventError(field, f"must be a string or an integer, not {_json_type(value)}")
    return str(value)


def _json_type(value: object) -> str:
    names = {dict: "an object", list: "an array", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "this type")
