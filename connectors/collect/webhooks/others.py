"""Google's lead forms, and senders that follow the Standard Webhooks convention."""

from typing import Any, Final

from connectors.collect.dialects.parsed import Document, Item, Parsed, object_of, read_object, text_of
from connectors.collect.request import Request
from connectors.collect.webhooks.fields import kept, list_of, numbered, present
from pipeline.event.result import Rejected

LIFTED: Final = ("userId", "anonymousId", "identifiers", "traits", "context")
"""Fields of a Standard Webhook's data that become fields of the event."""
COLUMNS: Final = {
    "EMAIL": "email", "PHONE_NUMBER": "phone", "FULL_NAME": "name", "FIRST_NAME": "firstName",
    "LAST_NAME": "lastName", "COMPANY_NAME": "company", "JOB_TITLE": "title", "COUNTRY": "country", "CITY": "city",
    "POSTAL_CODE": "postalCode",
}  # fmt: skip
"""Column of a lead form to the trait that it sets. Answers to own questions are properties."""


def google(request: Request) -> Parsed:
    """Parses a lead. Leads that Google sends as a test are ignored."""
    read = read_object(request.body)
    if isinstance(read, Rejected):
        return Parsed([Item(request.body, read)])
    return kept(request, [] if read.get("is_test") is True else [_google_lead(read)])


def _google_lead(read: Document) -> Document:
    traits: Document = {}
    answers: Document = {}
    for column in map(object_of, list_of(read.get("user_column_data"))):
        number, value = text_of(column.get("column_id")), column.get("string_value")
        if number in COLUMNS:
            traits[COLUMNS[number]] = value
        elif number:
            answers[number.lower()] = value
    return {
        "type": "track",
        "event": "Lead Submitted",
        "messageId": numbered("google-lead", read.get("lead_id")),
        "identifiers": present(email=traits.get("email"), phone=traits.get("phone"), click_id=read.get("gcl_id")),
        "traits": traits,
        "context": {"campaign": present(id=_text(read.get("campaign_id")), source="google", medium="cpc")},
        "properties": {**answers, **present(form_id=_text(read.get("form_id")), ad_group_id=read.get("adgroup_id"))},
    }


def standard(request: Request) -> Parsed:
    """Parses ``{"type", "timestamp", "data"}``. The event has the type's name; the data are its properties."""
    read = read_object(request.body)
    if isinstance(read, Rejected):
        return Parsed([Item(request.body, read)])
    data = dict(object_of(read.get("data")))
    document: Document = {name: data.pop(name) for name in LIFTED if name in data}
    headers = request.headers
    document |= {
        "type": "track",
        "event": text_of(read.get("type")),
        "messageId": headers.get("webhook-id") or headers.get("svix-id"),
        "properties": data,
    }
    if read.get("timestamp") is not None:
        document["timestamp"] = read["timestamp"]
    return Parsed([Item(request.body, document)])


def _text(value: Any) -> str:
    return "" if value is None else str(value)
