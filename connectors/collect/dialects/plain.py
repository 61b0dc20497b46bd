"""The plain JSON endpoint ``POST /v1/events``: events in the Segment spec, one, an array, or ``{"events": […]}``."""

from typing import Final

from connectors.collect.dialects.parsed import (
    Document,
    Item,
    Parsed,
    converted,
    elements_of,
    items_of,
    members_of,
    read_object,
)
from connectors.collect.request import Request
from pipeline.event.result import Rejected

_BLANKS: Final = b" \t\r\n"


def parse(request: Request) -> Parsed:
    """Parses a body. The key is in a header or the query, never in the body."""
    body = request.body
    start = body.lstrip(_BLANKS)[:1]
    if start == b"[":
        return Parsed(items_of(body, elements_of(body), _unchanged))
    if b'"events"' in body:
        members = members_of(body)
        if members is not None and set(members) == {"events"}:
            return Parsed(items_of(body, elements_of(members["events"]), _unchanged))
    read = read_object(body)
    return Parsed([Item(body, read) if isinstance(read, Rejected) else converted(body, read, _unchanged)])


def _unchanged(document: Document) -> Document:
    return document
