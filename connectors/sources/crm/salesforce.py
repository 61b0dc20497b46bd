"""Reads Salesforce: contacts, leads, accounts, opportunities, tasks and events by SystemModstamp, and what was deleted.

A stream is a query for one type of object within a window of time, in the order of ids (:mod:`.window`). ``queryAll``
also returns deleted objects; of merged ones it states the survivor, for as long as they are in the recycle bin.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from connectors.crm.exchange import Call, Send, dicts_in
from connectors.crm.salesforce.answers import checked as classify
from connectors.sources.crm import change as names
from connectors.sources.crm.answers import checked, millis, text
from connectors.sources.crm.change import Change, Fate, ObjectKind, Page, Person
from connectors.sources.crm.window import advanced, current, is_behind, span_of
from pipeline.clock import Clock
from pipeline.event.instant import format_instant
from pipeline.rules.crm import CrmConnection

CRM: Final = "Salesforce"
PAGE: Final = 500
MODIFIED: Final = "SystemModstamp"


class Stream(NamedTuple):
    """How one type of object is read."""

    kind: ObjectKind
    object: str
    fields: Mapping[str, str]
    """Our name → Salesforce's field, of the fields in one form."""
    extra: tuple[str, ...]
    """Further fields that the reader needs."""


STREAMS: Final = {
    "leads": Stream(
        ObjectKind.LEAD, "Lead", {names.OWNER: "OwnerId"},
        ("Email", "Phone", "IsConverted", "ConvertedContactId", "MasterRecordId"),
    ),
    "contacts": Stream(
        ObjectKind.CONTACT, "Contact", {names.OWNER: "OwnerId", names.COMPANY: "AccountId"},
        ("Email", "Phone", "MasterRecordId"),
    ),
    "companies": Stream(ObjectKind.COMPANY, "Account", {names.NAME: "Name", names.OWNER: "OwnerId"}, ()),
    "deals": Stream(
        ObjectKind.DEAL, "Opportunity",
        {names.NAME: "Name", names.STAGE: "StageName", names.AMOUNT: "Amount", names.CLOSES: "CloseDate",
         names.OWNER: "OwnerId", names.COMPANY: "AccountId"},
        ("IsWon", "IsClosed", "ContactId", "Contact.Email", "Contact.Phone"),
    ),
    "tasks": Stream(
        ObjectKind.ACTIVITY, "Task", {names.SUBJECT: "Subject", names.OUTCOME: "Status", names.OWNER: "OwnerId"},
        ("TaskSubtype", "WhoId", "ActivityDate"),
    ),
    "events": Stream(
        ObjectKind.ACTIVITY, "Event", {names.SUBJECT: "Subject", names.OWNER: "OwnerId"}, ("WhoId", "EndDateTime")
    ),
}  # fmt: skip
_SUBTYPES: Final = {"Call": "call", "Email": "email", "ListEmail": "email"}
_OURS: Final = "Stitchline"
"""Beginning of the subject of the tasks that hold our stories."""


class SalesforceReader:
    """Reads one organisation. Implements :class:`~connectors.sources.crm.reader.CrmReader`."""

    owner_field = "OwnerId"

    def __init__(self, connection: CrmConnection, send: Send, clock: Clock) -> None:
        self._back, self._send, self._clock = connection.back, send, clock
        self._path = f"/services/data/{connection.version}/queryAll?q="
        back = connection.back
        self._span = span_of(back.since_days, back.overlap_minutes, back.delay_seconds, back.step_hours)

    def streams(self) -> Sequence[str]:
        """Returns the types of object. Leads come first, so that a converted one is joined with its contact early."""
        activities = ("tasks", "events") if "activities" in self._back.objects else ()
        return [*(one for one in ("leads", "contacts", "companies", "deals") if one in self._back.objects), *activities]

    def changes(self, stream: str, cursor: str) -> Page:
        """Returns one page of a stream."""
        at, window = STREAMS[stream], current(cursor, self._clock(), self._span)
        query = self._query(stream, at, window.from_ms, window.until_ms, window.after)
        body = checked(self._send(Call(method="GET", path=self._path + quote(query))), CRM, classify)
        rows = dicts_in(body.get("records"))
        # Salesforce may return fewer rows than the query's limit, with a locator of the rest. The page after the last
        # id is the same rest, and it does not expire.
        has_rest = len(rows) >= PAGE or (body.get("done") is False and bool(rows))
        window = advanced(window, text(rows[-1].get("Id")) if rows else "", full=has_rest)
        changes = tuple(change for row in rows if (change := self._change(stream, at, row)))
        return Page(changes, window.text(), is_behind(window))

    def _query(self, stream: str, at: Stream, from_ms: int, until_ms: int, after: str) -> str:
        wanted = sorted(
            {"Id", "IsDeleted", "CreatedDate", MODIFIED, *at.fields.values(), *at.extra, *self._traits(stream)}
        )
        limits = f"{MODIFIED} >= {format_instant(from_ms)} AND {MODIFIED} <= {format_instant(until_ms)}"
        limits += f" AND Id > '{after}'" if after else ""
        return f"SELECT {','.join(wanted)} FROM {at.object} WHERE {limits} ORDER BY Id LIMIT {PAGE}"  # noqa: S608

    def _traits(self, stream: str) -> Iterator[str]:
        yield from (trait.field for trait in self._back.traits if stream in trait.of)

    def _change(self, stream: str, at: Stream, row: Mapping[str, Any]) -> Change | None:
        fields = {ours: text(row.get(theirs)) for ours, theirs in at.fields.items()}
        fields |= {name: text(row.get(name)) for name in self._traits(stream)}
        fate, into = _fate(row)
        people: tuple[Person, ...] = ()
        if stream in {"leads", "contacts"}:
            people = (Person(text(row.get("Id")), text(row.get("Email")), text(row.get("Phone"))),)
        elif stream == "deals":
            fields[names.OUTCOME] = _outcome(row)
            contact = row.get("Contact") or {}
            if row.get("ContactId"):
                people = (Person(text(row["ContactId"]), text(contact.get("Email")), text(contact.get("Phone"))),)
        elif at.kind is ObjectKind.ACTIVITY:
            if fields[names.SUBJECT].startswith(_OURS):
                return None
            fields[names.ACTIVITY] = _SUBTYPES.get(
                text(row.get("TaskSubtype")), "task" if stream == "tasks" else "meeting"
            )
            people = (Person(text(row["WhoId"])),) if row.get("WhoId") else ()
        modified_ms = millis(row.get(MODIFIED))
        return Change(
            kind=at.kind, id=text(row.get("Id")), modified_ms=modified_ms, created_ms=millis(row.get("CreatedDate")),
            fields=fields if fate is Fate.PRESENT else {}, people=people, fate=fate, into=into,
        )  # fmt: skip


def _fate(row: Mapping[str, Any]) -> tuple[Fate, str]:
    if row.get("IsConverted") is True:
        return Fate.CONVERTED, text(row.get("ConvertedContactId"))
    if row.get("IsDeleted") is not True:
        return Fate.PRESENT, ""
    survivor = text(row.get("MasterRecordId"))
    return (Fate.MERGED, survivor) if survivor else (Fate.DELETED, "")


def _outcome(row: Mapping[str, Any]) -> str:
    if row.get("IsWon") is True:
        return names.WON
    return names.LOST if row.get("IsClosed") is True else "open"
