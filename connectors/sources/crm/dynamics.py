"""Reads Dynamics 365: contacts, leads, accounts and opportunities by change tracking, with delta links.

The first request of a table lists all rows and ends with a delta link, which lists what has changed since. Dataverse
keeps a link for 7 days. A link that it no longer accepts is a gap: the table is listed again from the beginning, page
by page, and a comparison with what was seen before finds its new rows. Rows that were deleted during the gap are found
by the same listing, as those that are no longer in it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from connectors.crm.dynamics.answers import checked as classify
from connectors.crm.exchange import Answer, Call, Send, dicts_in
from connectors.sources.crm import change as names
from connectors.sources.crm.answers import checked, millis, text
from connectors.sources.crm.change import Change, Fate, ObjectKind, Page, Person
from connectors.sources.crm.reader import Known
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection

CRM: Final = "Dynamics"
PAGE: Final = 500
NEXT, DELTA = "@odata.nextLink", "@odata.deltaLink"
_EXPIRED: Final = frozenset({400, 404, 410})
"""Statuses of a refused link."""
_EXPIRED_CODE: Final = "0x80044352"
"""ExpiredVersionStamp: 7 days have passed, or columns of the table have changed. Its status is not documented."""


class Table(NamedTuple):
    """How one table is read."""

    kind: ObjectKind
    set: str
    id: str
    fields: Mapping[str, str]
    """Our name → column, of the fields in one form."""
    extra: tuple[str, ...]


TABLES: Final = {
    "leads": Table(
        ObjectKind.LEAD, "leads", "leadid", {names.OWNER: "_ownerid_value"},
        ("emailaddress1", "telephone1", "statecode", "_parentcontactid_value", "merged", "_masterid_value"),
    ),
    "contacts": Table(
        ObjectKind.CONTACT, "contacts", "contactid",
        {names.OWNER: "_ownerid_value", names.COMPANY: "_parentcustomerid_value"},
        ("emailaddress1", "telephone1", "merged", "_masterid_value"),
    ),
    "companies": Table(
        ObjectKind.COMPANY, "accounts", "accountid", {names.NAME: "name", names.OWNER: "_ownerid_value"}, ()
    ),
    "deals": Table(
        ObjectKind.DEAL, "opportunities", "opportunityid",
        {names.NAME: "name", names.STAGE: "stepname", names.CLOSES: "estimatedclosedate", names.OWNER: "_ownerid_value",
         names.COMPANY: "_parentaccountid_value"},
        ("statecode", "estimatedvalue", "actualvalue", "_parentcontactid_value", "_transactioncurrencyid_value"),
    ),
}  # fmt: skip
_WON, _LOST = 1, 2
"""State codes of opportunities."""
_QUALIFIED: Final = 1
"""State code of a lead that became a contact."""


class _Cursor(msgspec.Struct, array_like=True, frozen=True):
    link: str = ""
    """Path and query of the next request; "" for the first one."""
    is_delta: bool = False
    """Whether the request lists changes, not all rows."""


class _Listing(msgspec.Struct):
    """The ids of a listing of all rows, which a restart begins again."""

    ids: set[str] = msgspec.field(default_factory=set)


class DynamicsReader:
    """Reads one environment. Implements :class:`~connectors.sources.crm.reader.CrmReader`."""

    owner_field = "ownerid"

    def __init__(self, connection: CrmConnection, send: Send, clock: Clock, known: Known) -> None:
        self._back, self._send, self._clock, self._known = connection.back, send, clock, known
        self._base = f"/api/data/{connection.version}"
        self._listings: dict[str, _Listing] = {}

    def streams(self) -> Sequence[str]:
        """Returns the tables. Leads come first, so that a qualified one is joined with its contact early."""
        return [one for one in TABLES if one in self._back.objects]

    def changes(self, stream: str, cursor: str) -> Page:
        """Returns one page of a table, of all rows at first and of changes later."""
        table = TABLES[stream]
        at = msgspec.json.decode(cursor, type=_Cursor) if cursor else _Cursor()
        if at.link and not at.is_delta and stream not in self._listings:
            at = _Cursor()  # the ids of an interrupted listing are not known: begin it again
        answer = self._request(stream, table, at)
        if at.link and _is_expired(answer):
            gap = "its cursor has expired; all rows are listed again"
            self._listings.pop(stream, None)
            return Page((), _encoded(_Cursor()), more=True, gap=gap)
        body = checked(answer, CRM, classify)
        rows = dicts_in(body.get("value"))
        changes = [change for row in rows if (change := self._change(stream, table, row))]
        if not at.is_delta:
            self._listings.setdefault(stream, _Listing()).ids.update(change.id for change in changes)
        if following := text(body.get(NEXT)):
            return Page(tuple(changes), _encoded(_Cursor(_path(following), at.is_delta)), more=True)
        if not at.is_delta:
            changes += self._missing(table, self._listings.pop(stream, _Listing()).ids)
        return Page(tuple(changes), _encoded(_Cursor(_path(text(body.get(DELTA))), True)))

    def _request(self, stream: str, table: Table, at: _Cursor) -> Answer:
        columns = {*table.fields.values(), *table.extra, table.id, "createdon", "modifiedon", *self._traits(stream)}
        path = at.link or f"{self._base}/{table.set}?$select={','.join(sorted(columns))}"
        prefer = f"odata.track-changes,odata.maxpagesize={PAGE}"
        return self._send(Call(method="GET", path=path, headers={"prefer": prefer}))

    def _traits(self, stream: str) -> set[str]:
        return {trait.field for trait in self._back.traits if stream in trait.of}

    def _missing(self, table: Table, listed: set[str]) -> list[Change]:
        """Returns the objects that were seen before and are no longer listed."""
        gone = sorted({*self._known.present(table.kind)} - listed)
        now_ms = self._clock()
        return [Change(kind=table.kind, id=name, modified_ms=now_ms, fate=Fate.DELETED) for name in gone]

    def _change(self, stream: str, table: Table, row: Mapping[str, Any]) -> Change | None:
        if "$deletedEntity" in text(row.get("@odata.context")) or row.get("reason") == "deleted":
            name = text(row.get("id")).rpartition("(")[2].rstrip(")")
            return Change(kind=table.kind, id=name, modified_ms=self._clock(), fate=Fate.DELETED) if name else None
        name = text(row.get(table.id))
        if not name:
            return None
        fields = {ours: text(row.get(theirs)) for ours, theirs in table.fields.items()}
        fields |= {field: text(row.get(field)) for field in self._traits(stream)}
        people: tuple[Person, ...] = ()
        if stream == "deals":
            fields |= _money(row)
            people = (Person(text(row["_parentcontactid_value"])),) if row.get("_parentcontactid_value") else ()
        elif stream != "companies":
            people = (Person(name, text(row.get("emailaddress1")), text(row.get("telephone1"))),)
        fate, into = _fate(stream, row)
        return Change(
            kind=table.kind, id=name, modified_ms=millis(row.get("modifiedon")),
            created_ms=millis(row.get("createdon")),
            fields=fields if fate is Fate.PRESENT else {}, people=people, fate=fate, into=into,
        )  # fmt: skip


def _money(row: Mapping[str, Any]) -> dict[str, str]:
    outcome = {_WON: names.WON, _LOST: names.LOST}.get(int(row.get("statecode") or 0), "open")
    amount = row.get("actualvalue") if outcome == names.WON and row.get("actualvalue") is not None else None
    return {names.OUTCOME: outcome, names.AMOUNT: text(row.get("estimatedvalue") if amount is None else amount)}


def _fate(stream: str, row: Mapping[str, Any]) -> tuple[Fate, str]:
    if row.get("merged") is True:
        return Fate.MERGED, text(row.get("_masterid_value"))
    if stream == "leads" and row.get("statecode") == _QUALIFIED:
        return Fate.CONVERTED, text(row.get("_parentcontactid_value"))
    return Fate.PRESENT, ""


def _is_expired(answer: Answer) -> bool:
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    code = error.get("code") if isinstance(error, dict) else ""
    return answer.status in _EXPIRED or code == _EXPIRED_CODE


def _path(link: str) -> str:
    """Returns path and query of a link, which names the server."""
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _encoded(cursor: _Cursor) -> str:
    return msgspec.json.encode(cursor).decode()
