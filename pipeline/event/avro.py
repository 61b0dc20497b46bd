"""Events as records of the channels' Avro schema: strings and longs, with properties, context and traits as JSON text.

This is the cheapest shape in measurements: msgspec decodes the JSON text of a bag several times faster than fastavro
decodes a map of unions.
"""

from typing import Any

from msgspec import MsgspecError
from msgspec.json import encode

from pipeline.event.errors import InvalidEventError
from pipeline.event.json_text import read_json
from pipeline.event.model import Event

EMPTY = "{}"


def _bag(text: str) -> dict[str, Any]:
    """Returns the object of a JSON text."""
    result = read_json(text)
    if type(result) is dict:
        return result
    if result == []:  # PHP writes an empty object as an empty array
        return {}
    message = "not a JSON object"
    raise MsgspecError(message)


def from_avro(channel: str, record: dict[str, Any]) -> Event:
    """Returns the event of a decoded record of ``events.<channel>.v1``. The event shares the record's identifier list.

    Raises:
        InvalidEventError: properties, context or traits are not the text of a JSON object.
    """
    properties, context, traits = record["properties"], record["context"], record["traits"]
    try:
        return Event(
            tenant=record["tenant"],
            source=record["source"],
            message_id=record["message_id"],
            channel=channel,
            type=record["type"],
            name=record["event"],
            timestamp_ms=record["timestamp_ms"],
            identifiers=record["identifiers"],
            properties={} if properties == EMPTY else _bag(properties),
            context={} if context == EMPTY else _bag(context),
            traits={} if traits == EMPTY else _bag(traits),
        )
    except (MsgspecError, RecursionError) as error:
        raise InvalidEventError(*_broken_bag(record)) from error


def to_avro(event: Event) -> dict[str, Any]:
    """Returns the record of an event before normalisation. Money is written only as part of the properties."""
    return {
        "tenant": event.tenant,
        "source": event.source,
        "message_id": event.message_id,
        "type": event.type,
        "event": event.name,
        "timestamp_ms": event.timestamp_ms,
        "identifiers": event.identifiers,
        "properties": encode(event.properties).decode() if event.properties else EMPTY,
        "context": encode(event.context).decode() if event.context else EMPTY,
        "traits": encode(event.traits).decode() if event.traits else EMPTY,
    }


def _broken_bag(record: dict[str, Any]) -> tuple[str, str]:
    """Returns the field that is not a JSON object, and the problem. Neither quotes the content."""
    for field in ("properties", "context"):
        try:
            _bag(record[field])
        except (MsgspecError, RecursionError):
            return field, "must be the text of a JSON object"
    return "traits", "must be the text of a JSON object"
