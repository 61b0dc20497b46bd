"""Webhooks of e-mail services: SendGrid and Mailgun."""

from typing import Any, Final

from connectors.collect.dialects.parsed import (
    Document,
    Item,
    NotAnEventError,
    Parsed,
    converted,
    elements_of,
    items_of,
    object_of,
    read_object,
    text_of,
)
from connectors.collect.request import Request
from pipeline.event.result import Rejected

SENDGRID: Final = {
    "open": "Email Opened", "click": "Email Link Clicked", "delivered": "Email Delivered", "bounce": "Email Bounced",
    "spamreport": "Email Marked as Spam", "unsubscribe": "Email Unsubscribed",
    "group_unsubscribe": "Email Unsubscribed", "group_resubscribe": "Email Resubscribed",
}  # fmt: skip
SENDGRID_FIELDS: Final = frozenset({"url", "reason", "sg_message_id", "category", "asm_group_id"})
MAILGUN: Final = {
    "opened": "Email Opened", "clicked": "Email Link Clicked", "delivered": "Email Delivered",
    "failed": "Email Bounced", "complained": "Email Marked as Spam", "unsubscribed": "Email Unsubscribed",
}  # fmt: skip
_SOFT: Final = "soft"
"""The bounce type of a failure that may pass; the shipped rules keep consent after it."""


def sendgrid(request: Request) -> Parsed:
    """Parses an array of events. ``processed``, ``deferred`` and ``dropped`` are no acts of a customer."""
    raws = elements_of(request.body)
    items = items_of(request.body, raws, _sendgrid_event)
    kept = [item for item in items if item.document != _IGNORED]
    return Parsed(kept, ignored=len(items) - len(kept))


_IGNORED: Final[Document] = {}


def _sendgrid_event(sent: Document) -> Document:
    kind = text_of(sent.get("event"))
    name = SENDGRID.get(kind)
    if name is None:
        if kind:
            return _IGNORED
        message = "event: must be a text that is not empty"
        raise NotAnEventError(message)
    properties = {name: value for name, value in sent.items() if name in SENDGRID_FIELDS}
    if kind == "bounce":
        properties["bounce_type"] = _SOFT if sent.get("type") == "blocked" else "hard"
    return _mail(name, sent.get("email"), sent.get("timestamp"), sent.get("sg_event_id"), properties)


def mailgun(request: Request) -> Parsed:
    """Parses one event in ``event-data``."""
    read = read_object(request.body)
    if isinstance(read, Rejected):
        return Parsed([Item(request.body, read)])
    if text_of(object_of(read.get("event-data")).get("event")) in {"accepted", "rejected", "stored"}:
        return Parsed([], ignored=1)
    return Parsed([converted(request.body, read, _mailgun_event)])


def _mailgun_event(read: Document) -> Document:
    sent = object_of(read.get("event-data"))
    name = MAILGUN.get(text_of(sent.get("event")))
    if name is None:
        message = f"event-data.event: must be one of {', '.join(MAILGUN)}"
        raise NotAnEventError(message)
    properties = {key: sent[key] for key in ("url", "tags", "campaigns", "reason") if sent.get(key)}
    if name == "Email Bounced":
        properties["bounce_type"] = "hard" if sent.get("severity") == "permanent" else _SOFT
    return _mail(name, sent.get("recipient"), sent.get("timestamp"), sent.get("id"), properties)


def _mail(name: str, address: Any, at: Any, number: Any, properties: Document) -> Document:
    return {
        "type": "track",
        "event": name,
        "messageId": number,
        "timestamp": at,
        "identifiers": {"email": address},
        "properties": properties,
    }
