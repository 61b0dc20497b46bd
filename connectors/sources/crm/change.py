"""What a reader returns: one object of the CRM as it is now, in one form for all CRMs."""

from enum import StrEnum
from typing import Final

import msgspec

OWNER: Final = "owner"
COMPANY: Final = "company"
"""Id of the company of a contact, lead or deal."""
NAME: Final = "name"
"""Of a company or deal."""
STAGE: Final = "stage"
OUTCOME: Final = "outcome"
"""Of a deal: ``open``, ``won`` or ``lost``. Of an activity: its result in the CRM's words."""
AMOUNT: Final = "amount"
"""Of a deal: a decimal number in units of the currency."""
CURRENCY: Final = "currency"
CLOSES: Final = "close_date"
LOST_REASON: Final = "lost_reason"
ACTIVITY: Final = "activity"
"""``call``, ``meeting``, ``email``, ``note`` or ``task``."""
SUBJECT: Final = "subject"
WON, LOST = "won", "lost"


class ObjectKind(StrEnum):
    """The types of object that come back."""

    CONTACT = "contact"
    LEAD = "lead"
    COMPANY = "company"
    DEAL = "deal"
    ACTIVITY = "activity"


PEOPLE: Final = frozenset({ObjectKind.CONTACT, ObjectKind.LEAD})


class Fate(StrEnum):
    """Whether an object is there."""

    PRESENT = "present"
    DELETED = "deleted"
    MERGED = "merged"
    """Into another contact or lead, which the CRM calls the survivor."""
    CONVERTED = "converted"
    """A lead that became a contact."""


class Person(msgspec.Struct, frozen=True):
    """The contact or lead of an object."""

    id: str
    """The CRM's id."""
    email: str = ""
    phone: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One object as the CRM holds it now."""

    kind: ObjectKind
    id: str
    """The CRM's id."""
    modified_ms: int
    """Time of the newest change; of a deleted object, time of its deletion."""
    created_ms: int = 0
    """0 if the CRM does not state it."""
    stage_ms: int = 0
    """Of a deal: time at which it reached its stage; 0 if the CRM does not state it."""
    fields: dict[str, str] = {}
    """Field → value as text; "" is an empty field, an absent one was not read. Contacts and leads have the CRM's names,
    ``OWNER`` and ``COMPANY``; all other objects have the names of this module."""
    people: tuple[Person, ...] = ()
    """The contact or lead itself, or those of a deal or activity, the main one first."""
    fate: Fate = Fate.PRESENT
    into: str = ""
    """Of a merged or converted object: the id of the contact or lead that it became."""


class Page(msgspec.Struct, frozen=True):
    """One answer of a reader."""

    changes: tuple[Change, ...]
    cursor: str
    """Where the next page of the stream starts. JSON text that only the reader understands."""
    more: bool = False
    """Whether there is more to read now."""
    gap: str = ""
    """Why changes before the cursor may be missing; "" if none are. The reader has started a backfill."""
