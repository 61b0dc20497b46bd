"""CloudEvents 1.0 over HTTP: binary, structured and batched. The data is JSON.

An event whose ``data`` is a Segment-spec event (``type`` is one of its types) is that event. Any other becomes a track
call named by the CloudEvent's ``type``: ``userId``, ``anonymousId``, ``identifiers``, ``traits`` and ``context`` are
taken out of ``data``, and the rest is its properties.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from hashlib import sha256
from typing import Any, Final
from urllib.parse import unquote

from connectors.collect.dialects.parsed import (
    Document,
    Item,
    NotAnEventError,
    Parsed,
    converted,
    elements_of,
    item_of,
    items_of,
    read_object,
)
from connectors.collect.request import Request
from pipeline.event.model import TYPES
from pipeline.event.result import Rejected
from pipeline.event.validate import MAX_MESSAGE_ID_CHARS

TAKEN_OUT: Final = ("userId", "anonymousId", "identifiers", "traits", "context")
"""Fields of the data that become fields of the event."""
REQUIRED: Final = ("id", "source", "type", "specversion")


def parse(request: Request) -> Parsed:
    """Parses a request in any of the three modes; headers ``ce-…`` mean binary mode."""
    body = request.body
    if "ce-specversion" in request.headers:
        attributes: Document = {
            name.removeprefix("ce-"): unquote(value)
            for name, value in request.headers.items()
            if name.startswith("ce-")
        }
        data = read_object(body) if body else {}
        if isinstance(data, Rejected):
            return Parsed([Item(body, data)])
        return Parsed([converted(body, {**attributes, "data": data}, _event)])
    if body.lstrip()[:1] == b"[":
        return Parsed(items_of(body, elements_of(body), _event))
    return Parsed([item_of(body, _event)])


def _event(attributes: Document) -> Document:
    """Returns the event of a CloudEvent's attributes and data."""
    for name in REQUIRED:
        if not isinstance(attributes.get(name), str) or not attributes[name]:
            message = f"{name}: a CloudEvent needs it, as a text"
            raise NotAnEventError(message)
    data = _data(attributes)
    document: Document
    if data.get("type") in TYPES:
        document = dict(data)
    else:
        document = {"type": "track", "event": attributes["type"]}
        document |= {name: data.pop(name) for name in TAKEN_OUT if name in data}
        if subject := attributes.get("subject"):
            data.setdefault("subject", subject)
        document["properties"] = data
    if user := attributes.get("userid"):
        document.setdefault("userId", user)
    if anonymous := attributes.get("anonymousid"):
        document.setdefault("anonymousId", anonymous)
    document.setdefault("messageId", _message_id(attributes["source"], attributes["id"]))
    if attributes.get("time") is not None:
        document.setdefault("timestamp", attributes["time"])
    return document


def _data(attributes: Document) -> Document:
    data: Any = attributes.get("data")
    encoded = attributes.get("data_base64")
    if data is None and isinstance(encoded, str):
        try:
            data = read_object(b64decode(encoded, validate=True))
        except Base64Error:
            data = None
    if data is None and encoded is None:
        return {}
    if not isinstance(data, dict):
        message = "data: must be a JSON object"
        raise NotAnEventError(message)
    return dict(data)


def _message_id(source: str, number: str) -> str:
    """Returns source and id, which are unique together; their hash if they are too long for a message id."""
    text = f"{source}#{number}"
    if len(text) <= MAX_MESSAGE_ID_CHARS and text.isprintable():
        return text
    return sha256(text.encode(errors="replace")).hexdigest()
