"""Webhooks of CRMs: HubSpot, Zoho and BottleCRM. The CRM's id of a contact or lead is its ``crm_contact_id``."""

from typing import Any, Final

from connectors.collect.dialects.parsed import (
    Document,
    Item,
    NotAnEventError,
    Parsed,
    elements_of,
    items_of,
    object_of,
    read_object,
    text_of,
)
from connectors.collect.request import Request
from connectors.collect.webhooks.fields import kept, list_of, numbered, present
from pipeline.event.result import Rejected

_IGNORED: Final[Document] = {}
ZOHO_EVENTS: Final = {"insert": "CRM Record Created", "update": "CRM Record Updated", "delete": "CRM Record Deleted"}
ZOHO_PEOPLE: Final = frozenset({"leads", "contacts"})
BOTTLECRM_PEOPLE: Final = frozenset({"lead.created", "lead.updated", "contact.created"})

INTERACTIONS: Final = {
    "call": "Call Logged", "meeting": "Meeting Held", "email": "Email Logged", "note": "Note Added",
}  # fmt: skip
"""Kinds of BottleCRM's interactions, named as `stitchline crm pull` names activities of other CRMs."""


def hubspot(request: Request) -> Parsed:
    """Parses an array of notifications. Those about contacts count: creations and changed properties."""
    items = items_of(request.body, elements_of(request.body), _hubspot_event)
    counted = [item for item in items if item.document != _IGNORED]
    return Parsed(counted, ignored=len(items) - len(counted))


def _hubspot_event(sent: Document) -> Document:
    kind, contact = text_of(sent.get("subscriptionType")), sent.get("objectId")
    if not kind:
        message = "subscriptionType: must be a text that is not empty"
        raise NotAnEventError(message)
    head: Document = {
        "messageId": numbered("hubspot", sent.get("portalId"), sent.get("eventId")),
        "timestamp": sent.get("occurredAt"),
        "identifiers": {"crm_contact_id": contact},
    }
    if kind == "contact.creation":
        return {**head, "type": "track", "event": "CRM Record Created", "properties": {"object": "contact"}}
    if kind == "contact.propertyChange" and text_of(sent.get("propertyName")):
        return {**head, "type": "identify", "traits": {sent["propertyName"]: sent.get("propertyValue")}}
    return _IGNORED


def zoho(request: Request) -> Parsed:
    """Parses a notification about leads or contacts, which names records and no fields: one event a record."""
    read = read_object(request.body)
    if isinstance(read, Rejected):
        return Parsed([Item(request.body, read)])
    name = ZOHO_EVENTS.get(text_of(read.get("operation")))
    module = text_of(read.get("module"))
    ids = list_of(read.get("ids")) if name and module.lower() in ZOHO_PEOPLE else []
    at = read.get("server_time")
    return kept(request, [_zoho_event(name or "", module, number, read, at) for number in ids])


def _zoho_event(name: str, module: str, number: Any, read: Document, at: Any) -> Document:
    return {
        "type": "track",
        "event": name,
        "messageId": numbered("zoho", read.get("channel_id"), number, read.get("operation"), at),
        "timestamp": at,
        "identifiers": {"crm_contact_id": number},
        "properties": {"object": module.lower()},
    }


def bottlecrm(request: Request) -> Parsed:
    """Parses created and updated leads and contacts as traits, interactions, and won deals of a known address."""
    read = read_object(request.body)
    if isinstance(read, Rejected):
        return Parsed([Item(request.body, read)])
    kind, data = text_of(read.get("event")), object_of(read.get("data"))
    head: Document = {"messageId": read.get("id"), "timestamp": read.get("created_at")}
    documents: list[Document] = []
    if kind in BOTTLECRM_PEOPLE:
        traits = present(
            email=data.get("email"), phone=data.get("phone"), firstName=data.get("first_name"),
            lastName=data.get("last_name"), title=data.get("title"), crm_status=data.get("status"),
        )  # fmt: skip
        documents = [
            {**head, "type": "identify", "traits": traits, "identifiers": present(crm_contact_id=data.get("id"))}
        ]
    elif kind == "interaction.created":
        person = data.get("contact_id") or data.get("lead_id")
        properties = present(subject=data.get("subject"), outcome=data.get("outcome"), activity_id=data.get("id"))
        event = INTERACTIONS.get(text_of(data.get("kind")), "Activity Logged")
        head["timestamp"] = data.get("occurred_at") or head["timestamp"]
        documents = [
            {**head, "type": "track", "event": event, "identifiers": present(crm_contact_id=person),
             "properties": properties}
        ] if person else []  # fmt: skip
    elif kind == "deal.won" and data.get("email"):
        properties = present(deal_id=data.get("id"), revenue=data.get("amount"), currency=data.get("currency"))
        documents = [
            {**head, "type": "track", "event": "Deal Won", "identifiers": {"email": data["email"]},
             "properties": properties}
        ]  # fmt: skip
    return kept(request, documents)
