"""The events of companies and activities. Pure."""

from collections.abc import Iterator
from typing import Final

from connectors.sources.crm.change import ACTIVITY, NAME, OUTCOME, OWNER, SUBJECT, Change, Fate
from connectors.sources.crm.document import Document, Documents
from connectors.sources.crm.seen import Compared, Seen

MAX_PEOPLE: Final = 20
"""Contacts of one activity that get its event."""
ACTIVITIES: Final = {
    "call": "Call Logged", "meeting": "Meeting Held", "email": "Email Logged", "note": "Note Added",
    "task": "Task Logged",
}  # fmt: skip


def company_events(change: Change, compared: Compared, make: Documents) -> Iterator[Document]:
    """Yields a group event with the changed fields of a company."""
    if not compared.changed or change.fate is not Fate.PRESENT:
        return
    changed = dict(compared.changed)
    traits: Document = {NAME: changed[NAME] or None} if NAME in changed else {}
    if OWNER in changed:
        traits["owner"] = make.rep(changed[OWNER])
    if traits:
        yield make.group(change, {}, change.id, traits)


def activity_events(change: Change, before: Seen | None, make: Documents, since_ms: int) -> Iterator[Document]:
    """Yields an event for each person of a new activity that is not older than ``since_ms``."""
    at_ms = change.created_ms or change.modified_ms
    if before is not None or change.fate is not Fate.PRESENT or at_ms < since_ms:
        return
    fields = change.fields
    event = ACTIVITIES.get(fields.get(ACTIVITY, ""), "Activity Logged")
    properties = {SUBJECT: fields.get(SUBJECT), OUTCOME: fields.get(OUTCOME), OWNER: make.rep(fields.get(OWNER, ""))}
    for person in change.people[:MAX_PEOPLE]:
        document = make.track(change, event, at_ms, make.identifiers(person), properties)
        yield {**document, "messageId": f"{document['messageId']}-{person.id}"}
