"""The types of object that the way back reads from HubSpot, and the properties that it reads of each. Pure."""

from typing import Final

from connectors.crm.hubspot.calls import NOTE_KEY
from pipeline.rules.crm_back import CrmBack

OWNER: Final = "hubspot_owner_id"
MERGED: Final = "hs_merged_object_ids"
"""Of a contact: the ids of the contacts that were merged into it, separated by semicolons."""
MAIN: Final = ("contacts", "companies", "deals")
ACTIVITIES: Final = {
    "calls": ("call", "hs_call_title", "hs_call_status"),
    "meetings": ("meeting", "hs_meeting_title", "hs_meeting_outcome"),
    "emails": ("email", "hs_email_subject", "hs_email_status"),
    "notes": ("note", "", ""),
    "tasks": ("task", "hs_task_subject", "hs_task_status"),
}
"""Object type → kind of activity, property of its subject, property of its outcome."""
DEAL: Final = (
    "dealname", "dealstage", "amount", "deal_currency_code", "closedate", OWNER, "closed_lost_reason",
)  # fmt: skip
TYPE_IDS: Final = {
    "contacts": "0-1", "companies": "0-2", "deals": "0-3", "calls": "0-48", "meetings": "0-47", "emails": "0-49",
    "notes": "0-46", "tasks": "0-27",
}  # fmt: skip
"""Object type → its id. Source: HubSpot's guide "Understanding the CRM", section "Object type IDs"."""


def tracked_types(back: CrmBack) -> list[str]:
    """Returns the types of object that a connection reads."""
    return [*(one for one in MAIN if one in back.objects), *(ACTIVITIES if "activities" in back.objects else ())]


def traits_of(back: CrmBack) -> list[str]:
    """Returns the properties of contacts that become traits, sorted."""
    return sorted({trait.field for trait in back.traits if "contacts" in trait.of})


def value_properties(object_type: str, back: CrmBack) -> list[str]:
    """Returns the properties of a type that are read, without the times of its creation and newest change, sorted."""
    own: tuple[str, ...]
    if object_type == "contacts":
        own = (*traits_of(back), "email", "phone", OWNER, "associatedcompanyid", MERGED)
    elif object_type == "companies":
        own = ("name", OWNER)
    elif object_type == "deals":
        own = (*DEAL, "hs_is_closed", "hs_is_closed_won")
    else:
        own = (*(one for one in ACTIVITIES[object_type][1:] if one), "hs_timestamp", OWNER, NOTE_KEY)
    return sorted({*own})


def modified_property(object_type: str) -> str:
    """Returns the property with the time of an object's newest change."""
    return "lastmodifieddate" if object_type == "contacts" else "hs_lastmodifieddate"


def created_property(object_type: str) -> str:
    """Returns the property with the time of an object's creation."""
    return "createdate" if object_type in MAIN else "hs_createdate"


def read_properties(object_type: str, back: CrmBack) -> list[str]:
    """Returns all properties of a type that are read, sorted."""
    times = {created_property(object_type), modified_property(object_type)}
    return sorted({*value_properties(object_type, back), *times})
