"""PostHog's capture API: ``/e``, ``/i/v0/e``, ``/capture`` and ``/batch``.

A ``distinct_id`` is the user id, except before a browser identifies its visitor: then it is the anonymous id.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs

from connectors.collect.dialects.device_clock import note_sent_at
from connectors.collect.dialects.parsed import (
    Document,
    Item,
    NotAnEventError,
    Parsed,
    converted,
    elements_of,
    items_of,
    members_of,
    object_of,
    read_object,
    text_of,
    unreadable,
)
from connectors.collect.request import Request
from pipeline.event.event_time import read_time
from pipeline.event.result import Rejected

MEANING: Final = {
    "$identify": "identify", "$set": "identify", "$set_once": "identify", "$create_alias": "alias",
    "$groupidentify": "group", "$pageview": "page", "$screen": "screen",
}  # fmt: skip
"""Event name to the type of call. Every other event is a track call."""
_KEYS: Final = ("api_key", "token")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def parse(request: Request) -> Parsed:
    """Parses a batch, an array, a single event, or a form with ``data`` in base64."""
    body = request.body
    if body.startswith(b"data="):
        form = _form(body)
        if form is None:
            return unreadable(body, "data: not base64")
        body = form
    if body.lstrip()[:1] == b"[":
        raws = elements_of(body)
        return Parsed(items_of(body, raws, _event), _key_of_item(raws[0]) if raws else "")
    read = read_object(body)
    if isinstance(read, Rejected):
        return Parsed([Item(body, read)])
    key = next((text_of(read[name]) for name in _KEYS if read.get(name)), "")
    sent_at = read.get("sent_at")
    if "batch" not in read:
        return Parsed([converted(body, read, partial(_event, sent_at=sent_at))], key or _key_of(read))
    members = members_of(body)
    raws = elements_of(members["batch"]) if members is not None else None
    return Parsed(items_of(body, raws, partial(_event, sent_at=sent_at)), key)


def _event(sent: Document, *, sent_at: Any = None) -> Document:
    name, properties = sent.get("event"), dict(object_of(sent.get("properties")))
    if not isinstance(name, str) or not name:
        message = "event: must be a text that is not empty"
        raise NotAnEventError(message)
    for key in _KEYS:
        properties.pop(key, None)
    kind = MEANING.get(name, "track")
    document: Document = {"type": kind, "properties": properties, "context": _context(properties)}
    if kind == "track":
        document["event"] = name
    if message_id := sent.get("uuid") or sent.get("$insert_id") or properties.get("$insert_id"):
        document["messageId"] = message_id
    _set_time(document, sent, sent_at)
    _set_identity(document, kind, sent, properties)
    _set_traits(document, kind, sent, properties)
    return document


def _set_time(document: Document, sent: Document, sent_at: Any) -> None:
    timestamp, offset = sent.get("timestamp"), sent.get("offset")
    if timestamp is not None:
        document["timestamp"] = timestamp
        note_sent_at(document, sent_at)
    elif isinstance(offset, int | float) and not isinstance(offset, bool) and read_time(sent_at) is not None:
        document["originalTimestamp"] = (read_time(sent_at) or 0) - int(offset)
        document["sentAt"] = sent_at


def _set_identity(document: Document, kind: str, sent: Document, properties: Document) -> None:
    distinct = sent.get("distinct_id") or properties.pop("distinct_id", None)
    if kind == "alias":
        document |= _alias(properties.get("alias"), distinct)
    elif properties.get("$is_identified") is False or (distinct and distinct == properties.get("$device_id")):
        document["anonymousId"] = distinct
    elif kind != "group" or not _is_made_up(distinct):
        document["userId"] = distinct
    if kind == "identify" and (before := properties.pop("$anon_distinct_id", None)) and before != distinct:
        document["anonymousId"] = before


def _alias(alias: Any, distinct: Any) -> Document:
    """Returns the ids of an alias, whose order differs between SDKs and between their users.

    An id that PostHog has generated, a UUID, is the anonymous one. If there is none, both are user ids; whether they
    may be one customer is up to ``identifiers.yaml``.
    """
    if _UUID.fullmatch(str(alias)):
        return {"userId": distinct, "previousId": alias}
    if _UUID.fullmatch(str(distinct)):
        return {"userId": alias, "previousId": distinct}
    return {"identifiers": {"user_id": [alias, distinct]}}


def _is_made_up(distinct: Any) -> bool:
    """Returns whether a server's SDK made up the id of a group call without a person: ``$type_key`` or a UUID."""
    return str(distinct).startswith("$") or _UUID.fullmatch(str(distinct)) is not None


def _set_traits(document: Document, kind: str, sent: Document, properties: Document) -> None:
    if kind == "group":
        document["groupId"] = properties.get("$group_key")
        document["traits"] = object_of(properties.pop("$group_set", None))
        return
    stated = object_of(sent.get("$set")) | object_of(properties.pop("$set", None))
    once = object_of(sent.get("$set_once")) | object_of(properties.pop("$set_once", None))
    traits = stated | ({"$set_once": once} if once else {})
    if traits:
        document["traits"] = traits


def _context(properties: Document) -> Document:
    context: Document = {}
    page = {
        name: properties[key]
        for name, key in (("url", "$current_url"), ("referrer", "$referrer"), ("title", "title"), ("path", "$pathname"))
        if isinstance(properties.get(key), str) and properties[key] != "$direct"
    }
    if page:
        context["page"] = page
    if library := text_of(properties.get("$lib")):
        context["library"] = {"name": library, "version": text_of(properties.get("$lib_version"))}
    if address := text_of(properties.pop("$ip", None)):
        context["ip"] = address
    return context


def _form(body: bytes) -> bytes | None:
    try:
        fields = parse_qs(body.decode(), max_num_fields=16)
        return b64decode(fields["data"][0].replace(" ", "+"), validate=True)
    except (UnicodeDecodeError, ValueError, KeyError, Base64Error):
        return None


def _key_of(read: Document) -> str:
    properties = object_of(read.get("properties"))
    return next((text_of(properties[name]) for name in _KEYS if properties.get(name)), "")


def _key_of_item(raw: bytes) -> str:
    read = read_object(raw)
    if isinstance(read, Rejected):
        return ""
    return next((text_of(read[name]) for name in _KEYS if read.get(name)), "") or _key_of(read)
