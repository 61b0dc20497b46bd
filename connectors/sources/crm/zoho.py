"""Reads Zoho CRM: contacts, leads, accounts and deals by time of change, and what was deleted.

A stream is a COQL query for one module within a window of time, in the order of ids (:mod:`.window`). COQL hides
converted leads, and refuses their fields in some organisations; so they are listed with ``converted=true``. These and
deleted records are listed with ``If-Modified-Since``. Zoho does not state into which record a deleted one was merged.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from connectors.crm.exchange import Call, Send, dicts_in
from connectors.crm.zoho.answers import checked as classify
from connectors.sources.crm import change as names
from connectors.sources.crm.answers import checked, millis, text
from connectors.sources.crm.change import Change, Fate, ObjectKind, Page, Person
from connectors.sources.crm.window import Span, advanced, current, is_behind, span_of
from pipeline.clock import Clock
from pipeline.event.instant import format_instant
from pipeline.rules.crm import CrmConnection

CRM: Final = "Zoho"
PAGE: Final = 200
NO_CONTENT: Final = (204, 304)
"""Statuses of an answer without records."""
CONVERTED_LEADS: Final = "converted-leads"
CONVERTED_CONTACT: Final = "Converted_Contact"
SECOND_MS: Final = 1000


class Module(NamedTuple):
    """How one module is read."""

    kind: ObjectKind
    name: str
    fields: Mapping[str, str]
    """Our name → field, of the fields in one form."""
    extra: tuple[str, ...] = ()


MODULES: Final = {
    "leads": Module(ObjectKind.LEAD, "Leads", {names.OWNER: "Owner"}, ("Email", "Phone")),
    "contacts": Module(
        ObjectKind.CONTACT, "Contacts", {names.OWNER: "Owner", names.COMPANY: "Account_Name"}, ("Email", "Phone")
    ),
    "companies": Module(ObjectKind.COMPANY, "Accounts", {names.NAME: "Account_Name", names.OWNER: "Owner"}),
    "deals": Module(
        ObjectKind.DEAL, "Deals",
        {names.NAME: "Deal_Name", names.STAGE: "Stage", names.AMOUNT: "Amount", names.CLOSES: "Closing_Date",
         names.OWNER: "Owner", names.COMPANY: "Account_Name"},
        ("Contact_Name", "Contact_Name.Email", "Contact_Name.Phone"),
    ),
}  # fmt: skip
_WON: Final = "closed won"
_LOST: Final = "closed lost"
"""Beginnings of the names of Zoho's own closed stages, in lower case."""


class ZohoReader:
    """Reads one organisation. Implements :class:`~connectors.sources.crm.reader.CrmReader`."""

    owner_field = "Owner"

    def __init__(self, connection: CrmConnection, send: Send, clock: Clock) -> None:
        self._back, self._send, self._clock = connection.back, send, clock
        self._base = f"/crm/{connection.version}"
        back = connection.back
        self._span: Span = span_of(back.since_days, back.overlap_minutes, back.delay_seconds, back.step_hours)

    def streams(self) -> Sequence[str]:
        """Returns the modules, each also as ``deleted-MODULE``. Leads come first: a converted one is joined early."""
        wanted = [one for one in MODULES if one in self._back.objects]
        changed = [name for one in wanted for name in ((one, CONVERTED_LEADS) if one == "leads" else (one,))]
        return [*changed, *(f"deleted-{one}" for one in wanted)]

    def changes(self, stream: str, cursor: str) -> Page:
        """Returns one page of a stream."""
        if stream.startswith("deleted-"):
            return self._deleted(MODULES[stream.removeprefix("deleted-")], cursor)
        if stream == CONVERTED_LEADS:
            return self._converted(cursor)
        module, window = MODULES[stream], current(cursor, self._clock(), self._span)
        query = self._query(stream, module, window.from_ms, window.until_ms, window.after)
        rows, has_rest = self._rows(Call(method="POST", path=f"{self._base}/coql", body={"select_query": query}))
        window = advanced(window, text(rows[-1].get("id")) if rows else "", full=has_rest)
        return Page(tuple(self._change(stream, module, row) for row in rows), window.text(), is_behind(window))

    def _query(self, stream: str, module: Module, from_ms: int, until_ms: int, after: str) -> str:
        traits = {trait.field for trait in self._back.traits if stream in trait.of}
        wanted = sorted({"id", "Created_Time", "Modified_Time", *module.fields.values(), *module.extra, *traits})
        limits = f"Modified_Time between '{_stamp(from_ms)}' and '{_stamp(until_ms)}'"
        limits = f"({limits}) and id > {after}" if after else limits
        return f"select {', '.join(wanted)} from {module.name} where {limits} order by id asc limit {PAGE}"  # noqa: S608

    def _change(self, stream: str, module: Module, row: Mapping[str, Any]) -> Change:
        name = text(row.get("id"))
        fields = {ours: _value(row.get(theirs)) for ours, theirs in module.fields.items()}
        fields |= {one.field: _value(row.get(one.field)) for one in self._back.traits if stream in one.of}
        people: tuple[Person, ...] = ()
        if stream in {"leads", "contacts"}:
            people = (Person(name, text(row.get("Email")), text(row.get("Phone"))),)
        elif stream == "deals":
            fields[names.OUTCOME] = _outcome(fields[names.STAGE])
            if contact := _value(row.get("Contact_Name")):
                email, phone = text(row.get("Contact_Name.Email")), text(row.get("Contact_Name.Phone"))
                people = (Person(contact, email, phone),)
        return Change(
            kind=module.kind, id=name, modified_ms=millis(row.get("Modified_Time")), people=people,
            created_ms=millis(row.get("Created_Time")), fields=fields,
        )  # fmt: skip

    def _converted(self, cursor: str) -> Page:
        """Returns a page of the leads that were converted since the last listing, with an overlap.

        A list reaches 2,000 records by page numbers. So the next page is the first one since the last record's time;
        it is a later page of the same list only as long as all records have one time.
        """
        now_ms = self._clock()
        since, number, until = msgspec.json.decode(cursor, type=tuple[int, int, int]) if cursor else (0, 0, 0)
        if number == 0:
            since, until = until - self._span.overlap if until else now_ms - self._span.since, now_ms
        fields = f"Created_Time,{CONVERTED_CONTACT},Email,Modified_Time,Phone"
        path = f"{self._base}/Leads?fields={fields}&converted=true&sort_by=Modified_Time&sort_order=asc"
        path += f"&per_page={PAGE}&page={max(number, 1)}"
        rows, more = self._rows(Call(method="GET", path=path, headers={"If-Modified-Since": _stamp(since)}))
        changes = tuple(
            Change(
                kind=ObjectKind.LEAD, id=text(row.get("id")), modified_ms=millis(row.get("Modified_Time")),
                created_ms=millis(row.get("Created_Time")), fate=Fate.CONVERTED,
                into=_value(row.get(CONVERTED_CONTACT)),
                people=(Person(text(row.get("id")), text(row.get("Email")), text(row.get("Phone"))),),
            )
            for row in rows
        )  # fmt: skip
        following = 0
        if more:
            # One second earlier: times are in seconds, and records of the same second may be on the next page.
            last = changes[-1].modified_ms - SECOND_MS
            since, following = (last, 1) if last > since else (since, max(number, 1) + 1)
        return Page(changes, msgspec.json.encode((since, following, until)).decode(), more)

    def _deleted(self, module: Module, cursor: str) -> Page:
        """Returns a page of what was deleted since the last listing, with an overlap."""
        now_ms = self._clock()
        since, number, until = msgspec.json.decode(cursor, type=tuple[int, int, int]) if cursor else (0, 1, 0)
        if number == 1:
            since, until = until - self._span.overlap if until else now_ms - self._span.since, now_ms
        path = f"{self._base}/{module.name}/deleted?type=all&per_page={PAGE}&page={number}"
        rows, more = self._rows(Call(method="GET", path=path, headers={"If-Modified-Since": _stamp(since)}))
        changes = tuple(
            Change(
                kind=module.kind, id=text(row.get("id")), modified_ms=millis(row.get("deleted_time")) or now_ms,
                fate=Fate.DELETED,
            )
            for row in rows
        )  # fmt: skip
        return Page(changes, msgspec.json.encode((since, number + 1 if more else 1, until)).decode(), more)

    def _rows(self, call: Call) -> tuple[list[dict[str, Any]], bool]:
        """Returns the records of an answer, and whether there are more. An answer may be shorter than its limit."""
        answer = self._send(call)
        if answer.status in NO_CONTENT:
            return [], False
        body = checked(answer, CRM, classify)
        rows, info = dicts_in(body.get("data")), body.get("info")
        has_rest = isinstance(info, Mapping) and info.get("more_records") is True
        return rows, bool(rows) and (len(rows) >= PAGE or has_rest)


def _stamp(at_ms: int) -> str:
    """Returns a time as Zoho takes it: in seconds, with an offset."""
    return f"{(format_instant(at_ms - at_ms % 1000) or '')[:19]}+00:00"


def _value(value: Any) -> str:
    """Returns a value as text; of a reference to another record its id."""
    return text(value.get("id")) if isinstance(value, Mapping) else text(value)


def _outcome(stage: str) -> str:
    lowered = stage.lower()
    if lowered.startswith(_WON):
        return names.WON
    return names.LOST if lowered.startswith(_LOST) else "open"
