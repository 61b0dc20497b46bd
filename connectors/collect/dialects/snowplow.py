"""Snowplow's tracker protocol: ``POST …/tp2`` and ``GET /i``. The application id (``aid``) is the write key.

Page views become page calls, screen views screen calls, structured and self-describing events track calls, and
transactions of e-commerce ``Order Completed``. ``uid`` is the user id; ``duid``, or a mobile session's user, is the
anonymous id.
"""

from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import Any, Final

from msgspec.json import encode

from connectors.collect.dialects.device_clock import note_sent_at
from connectors.collect.dialects.parsed import (
    Document,
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
from pipeline.event.result import Rejected

STRUCTURED: Final = {"se_ca": "category", "se_la": "label", "se_pr": "property", "se_va": "value"}
TRANSACTION: Final = {
    "tr_id": "order_id", "tr_af": "affiliation", "tr_tt": "revenue", "tr_tx": "tax", "tr_sh": "shipping",
    "tr_cu": "currency",
}  # fmt: skip
ITEM: Final = {
    "ti_id": "order_id", "ti_sk": "sku", "ti_nm": "name", "ti_ca": "category", "ti_pr": "item_price",
    "ti_qu": "quantity", "ti_cu": "currency",
}  # fmt: skip
_IGLU: Final = "iglu:"
_IGLU_PARTS: Final = 4


def parse_post(request: Request) -> Parsed:
    """Parses ``{"schema": "iglu:…/payload_data/…", "data": […]}``."""
    body = request.body
    members = members_of(body)
    if members is None or "data" not in members:
        return unreadable(body, "must be an object with data")
    raws = elements_of(members["data"])
    first = read_object(raws[0]) if raws else {}
    key = "" if isinstance(first, Rejected) else text_of(first.get("aid"))
    return Parsed(items_of(body, raws, _event), key)


def parse_get(request: Request) -> Parsed:
    """Parses the fields of a query string."""
    fields = dict(request.query)
    return Parsed([converted(request.query_string.encode(), fields, _event)], fields.get("aid", ""))


def _event(sent: Document) -> Document:
    contexts = _contexts(sent)
    document: Document = {"context": _context(sent, contexts)}
    make = _KINDS.get(text_of(sent.get("e")))
    if make is None:
        message = f"e: must be one of {', '.join(_KINDS)}"
        raise NotAnEventError(message)
    document |= make(sent)
    for field, name in (("eid", "messageId"), ("uid", "userId"), ("duid", "anonymousId")):
        if sent.get(field):
            document[name] = sent[field]
    if "anonymousId" not in document and (user := object_of(contexts.get("client_session")).get("userId")):
        document["anonymousId"] = user
    _set_time(document, sent)
    return document


def _set_time(document: Document, sent: Document) -> None:
    """Takes the true time if the tracker states one, else the device's, which is corrected by the time of sending."""
    if sent.get("ttm"):
        document["timestamp"] = sent["ttm"]
    elif sent.get("dtm"):
        document["timestamp"] = sent["dtm"]
        note_sent_at(document, sent.get("stm"))


def _track(name: Any, properties: Document) -> Document:
    return {"type": "track", "event": name, "properties": properties}


def _named(sent: Document, names: dict[str, str]) -> Document:
    return {name: sent[field] for field, name in names.items() if sent.get(field) not in (None, "")}


def _page(sent: Document) -> Document:
    names = {"url": "url", "page": "title", "refr": "referrer"}
    return _named(sent, names)


def _self_describing(sent: Document) -> Document:
    """Returns a track call named by the schema, or a screen call for a screen view."""
    outer = _json_field(sent, "ue_pr", "ue_px")
    inner = object_of(outer.get("data"))
    name, data = _schema_name(inner), dict(object_of(inner.get("data")))
    if not name:
        message = "ue_pr: must be a self-describing event with an iglu: schema"
        raise NotAnEventError(message)
    if name == "screen_view":
        return {"type": "screen", "name": text_of(data.get("name")), "properties": data}
    return _track(name, data)


def _page_view(sent: Document) -> Document:
    named = {"name": sent["page"]} if text_of(sent.get("page")) else {}
    return {"type": "page", "properties": _page(sent), **named}


_KINDS: Final[dict[str, Callable[[Document], Document]]] = {
    "pv": _page_view,
    "pp": lambda sent: _track("Page Ping", _page(sent)),
    "se": lambda sent: _track(sent.get("se_ac"), _named(sent, STRUCTURED)),
    "ue": _self_describing,
    "tr": lambda sent: _track("Order Completed", _named(sent, TRANSACTION)),
    "ti": lambda sent: _track("Transaction Item", _named(sent, ITEM)),
}
"""Value of ``e`` to what makes the call of an event."""


def _context(sent: Document, contexts: Document) -> Document:
    context: Document = {}
    if page := _page(sent):
        context["page"] = page
    for field, name in (("ua", "userAgent"), ("lang", "locale"), ("tz", "timezone"), ("ip", "ip")):
        if text_of(sent.get(field)):
            context[name] = sent[field]
    if contexts:
        context["snowplow"] = contexts
    return context


def _contexts(sent: Document) -> Document:
    """Returns the custom contexts by the name of their schema; a list of those that occur several times."""
    contexts: Document = {}
    data = _json_field(sent, "co", "cx").get("data")
    for entity in data if isinstance(data, list) else ():
        name = _schema_name(object_of(entity))
        if not name:
            continue
        earlier = contexts.get(name)
        if earlier is None:
            contexts[name] = entity.get("data")
        elif isinstance(earlier, list):
            earlier.append(entity.get("data"))
        else:
            contexts[name] = [earlier, entity.get("data")]
    return contexts


def _json_field(sent: Document, plain: str, encoded: str) -> Document:
    """Returns the object in one of two fields: JSON text, or JSON text in base64; an empty one if there is none."""
    text = sent.get(plain)
    if isinstance(text, dict):
        text = encode(text).decode()
    elif not isinstance(text, str):
        packed = text_of(sent.get(encoded))
        try:
            text = urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
        except (Base64Error, ValueError):
            return {}
    read = read_object(text.encode(errors="replace"))
    return {} if isinstance(read, Rejected) else read


def _schema_name(entity: Document) -> str:
    """Returns the name in ``iglu:vendor/name/format/version``; "" if there is no such schema."""
    schema = text_of(entity.get("schema"))
    parts = schema.removeprefix(_IGLU).split("/")
    return parts[1] if schema.startswith(_IGLU) and len(parts) == _IGLU_PARTS else ""
