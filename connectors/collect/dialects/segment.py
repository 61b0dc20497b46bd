"""Segment's HTTP API, which RudderStack's and Jitsu's SDKs speak too: single calls, batches and the pixel."""

from base64 import b64decode
from binascii import Error as Base64Error
from functools import partial
from typing import Any, Final

from connectors.collect.dialects.device_clock import note_sent_at
from connectors.collect.dialects.parsed import (
    Document,
    Item,
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
from pipeline.event.model import TYPES
from pipeline.event.result import Rejected

TYPE_OF: Final = {kind: kind for kind in TYPES} | {kind[0]: kind for kind in TYPES}
"""Last part of a path, long or short, to the type of its calls."""


def parse_call(request: Request) -> Parsed:
    """Parses a single call, whose type is the last part of the path. A body with ``batch`` is a batch."""
    body = request.body
    read = read_object(body)
    if isinstance(read, Rejected):
        return Parsed([Item(body, read)])
    if isinstance(read.get("batch"), list):
        return parse_batch(request)
    key = text_of(read.pop("writeKey", ""))
    read["type"] = TYPE_OF[request.path.rstrip("/").rpartition("/")[2]]
    return Parsed([Item(body, _completed(read, anonymous_id=_anonymous_id(request)))], key)


def parse_batch(request: Request) -> Parsed:
    """Parses ``{"batch": […], "sentAt", "context", "writeKey"}``. The batch's context is merged into its items."""
    body = request.body
    members = members_of(body)
    if members is None:
        return _parse_lenient_batch(request)
    shared = {name: _value(members[name]) for name in ("sentAt", "context", "writeKey") if name in members}
    convert = partial(
        _completed,
        sent_at=shared.get("sentAt"),
        context=object_of(shared.get("context")),
        anonymous_id=_anonymous_id(request),
    )
    return Parsed(items_of(body, elements_of(members.get("batch", b"null")), convert), text_of(shared.get("writeKey")))


def _parse_lenient_batch(request: Request) -> Parsed:
    """Parses a batch with values that strict JSON does not have, such as NaN. Its items share the body's bytes."""
    body = request.body
    read = read_object(body)
    if isinstance(read, Rejected):
        return Parsed([Item(body, read)])
    batch = read.get("batch")
    if not isinstance(batch, list) or not all(isinstance(item, dict) for item in batch):
        return unreadable(body, "batch must be an array of objects")
    convert = partial(_completed, sent_at=read.get("sentAt"), context=object_of(read.get("context")))
    return Parsed([converted(body, item, convert) for item in batch], text_of(read.get("writeKey")))


def parse_pixel(request: Request) -> Parsed:
    """Parses ``GET /v1/pixel/track?data=…``: one call as JSON in base64, for e-mails."""
    raw, data = request.query_string.encode(), request.query.get("data", "")
    try:
        padded = data.encode() + b"=" * (-len(data) % 4)
        body = b64decode(padded, altchars=b"-_" if "-" in data or "_" in data else None)
    except (Base64Error, ValueError):
        return unreadable(raw, "data: not base64")
    read = read_object(body)
    if isinstance(read, Rejected):
        return Parsed([Item(raw, read)])
    key = text_of(read.pop("writeKey", ""))
    read["type"] = TYPE_OF[request.path.rstrip("/").rpartition("/")[2]]
    return Parsed([converted(raw, read, _completed)], key)


def _completed(
    document: Document, *, sent_at: Any = None, context: Document | None = None, anonymous_id: str = ""
) -> Document:
    document.pop("writeKey", None)
    if context:
        own = document.get("context")
        document["context"] = {**context, **own} if isinstance(own, dict) else own or dict(context)
    if anonymous_id and not document.get("anonymousId"):
        document["anonymousId"] = anonymous_id
    note_sent_at(document, sent_at or document.get("sentAt"))  # an item may have waited since it was to be sent
    return document


def _anonymous_id(request: Request) -> str:
    """Returns the id of RudderStack's header ``AnonymousId``, base64; "" if there is none."""
    header = request.headers.get("anonymousid", "")
    if not header:
        return ""
    try:
        return b64decode(header, validate=True).decode()
    except (Base64Error, UnicodeDecodeError):
        return ""


def _value(raw: bytes) -> Any:
    read = read_object(b'{"v":' + raw + b"}")
    return None if isinstance(read, Rejected) else read["v"]
