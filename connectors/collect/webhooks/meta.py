"""Meta's lead ads. A delivery names leads and holds nothing of them; the Graph API has their answers.

The proof is the app's secret. Meta confirms an endpoint with ``GET ?hub.mode=subscribe&hub.challenge=…&
hub.verify_token=…`` and expects the challenge back.
"""

import re
from typing import Any, Final

from connectors.collect.dialects.parsed import Document, Item, Parsed, object_of, read_object, text_of
from connectors.collect.request import Request
from connectors.collect.webhooks.fields import kept, list_of, numbered, present
from pipeline.event.result import Rejected

LEAD_ID: Final = "meta_lead_id"
"""Identifier of a lead at Meta, which counts where ``identifiers.yaml`` declares it."""
FIELDS: Final = "created_time,ad_id,adset_id,campaign_id,form_id,field_data"
"""Fields of a lead that are looked up."""
TRAITS: Final = {
    "email": "email", "work_email": "email", "phone_number": "phone", "work_phone_number": "phone", "full_name": "name",
    "first_name": "firstName", "last_name": "lastName", "company_name": "company", "job_title": "title",
    "country": "country", "city": "city", "post_code": "postalCode", "zip_code": "postalCode",
}  # fmt: skip
"""Question of a form to the trait that its answer sets. Answers to own questions are properties."""
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")


def meta(request: Request) -> Parsed:
    """Parses the leads of a delivery. Other changes of a page are ignored."""
    read = read_object(request.body)
    if isinstance(read, Rejected):
        return Parsed([Item(request.body, read)])
    changes = [
        object_of(change) for entry in list_of(read.get("entry")) for change in list_of(object_of(entry).get("changes"))
    ]
    return kept(
        request, [_lead(object_of(change.get("value"))) for change in changes if change.get("field") == "leadgen"]
    )


def _lead(value: Document) -> Document:
    number = value.get("leadgen_id")
    return {
        "type": "track",
        "event": "Lead Submitted",
        "messageId": numbered("meta-lead", number),
        "timestamp": value.get("created_time"),
        "identifiers": present(**{LEAD_ID: str(number) if number else ""}),
        "context": {"campaign": {"source": "meta", "medium": "cpc"}},
        "properties": present(
            form_id=_text(value.get("form_id")), ad_id=_text(value.get("ad_id")), page_id=_text(value.get("page_id")),
            ad_group_id=_text(value.get("adgroup_id")),
        ),
    }  # fmt: skip


def with_answers(document: Document, lead: Document) -> Document:
    """Returns the event of a lead with its answers, as the Graph API states them."""
    traits: Document = {}
    answers: Document = {}
    for field in map(object_of, list_of(lead.get("field_data"))):
        name, values = text_of(field.get("name")), list_of(field.get("values"))
        value = values[0] if len(values) == 1 else values
        if name in TRAITS and values:
            traits.setdefault(TRAITS[name], values[0])
        elif name and values:
            answers[name] = value
    identifiers = {**document["identifiers"], **present(email=traits.get("email"), phone=traits.get("phone"))}
    campaign = {**document["context"]["campaign"], **present(id=_text(lead.get("campaign_id")))}
    return {
        **document,
        "identifiers": identifiers,
        "traits": traits,
        "context": {"campaign": campaign},
        "properties": {**answers, **document["properties"], **present(ad_set_id=_text(lead.get("adset_id")))},
    }


def challenge_of(request: Request) -> str:
    """Returns the challenge of a confirmation; "" if the request is none."""
    query = request.query
    challenge = query.get("hub.challenge", "")
    is_one = query.get("hub.mode") == "subscribe" and _CHALLENGE.fullmatch(challenge) is not None
    return challenge if is_one else ""


def _text(value: Any) -> str:
    return "" if value is None else str(value)
