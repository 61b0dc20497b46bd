"""Reads BottleCRM: contacts, leads and deals.

BottleCRM's lists cannot be searched by time of change, and a deal has none. So each round lists all objects of a type;
a comparison with what was seen before finds those that have changed. An object that is no longer listed is read by its
id: it was deleted, converted, or passed over because the list moved while it was read. The list hides converted leads.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from connectors.crm.bottlecrm.answers import checked as classify
from connectors.crm.exchange import Call, Send, dicts_in
from connectors.sources.crm import change as names
from connectors.sources.crm.answers import NOT_FOUND, checked, millis, text
from connectors.sources.crm.change import Change, Fate, ObjectKind, Page, Person
from connectors.sources.crm.reader import Known
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection

CRM: Final = "BottleCRM"
PAGE: Final = 100
CONVERTED: Final = "converted"


class Stream(NamedTuple):
    """How one type of object is listed and read."""

    kind: ObjectKind
    path: str
    lists: tuple[tuple[str, ...], ...]
    """Where the lists of an answer are."""
    detail: str
    """Where the object of an answer is."""


STREAMS: Final = {
    "contacts": Stream(ObjectKind.CONTACT, "/api/contacts/", (("results",),), "contact_obj"),
    "deals": Stream(ObjectKind.DEAL, "/api/opportunities/", (("opportunities",),), "opportunity_obj"),
    "leads": Stream(
        ObjectKind.LEAD, "/api/leads/", (("open_leads", "open_leads"), ("close_leads", "close_leads")), "lead_obj"
    ),
}


class _Round(msgspec.Struct):
    """One listing of a type."""

    offset: int = 0
    listed: set[str] = msgspec.field(default_factory=set)
    missing: list[str] | None = None
    """The objects to read by their ids; None while the list is being read."""


class BottleCrmReader:
    """Reads one organisation. Implements :class:`~connectors.sources.crm.reader.CrmReader`.

    A round that a restart interrupts begins again, so its progress is not part of the cursor.
    """

    owner_field = "assigned_to"

    def __init__(self, connection: CrmConnection, send: Send, clock: Clock, known: Known) -> None:
        self._back, self._send, self._clock, self._known = connection.back, send, clock, known
        self._reps = {owner.id for owner in connection.owners}
        self._fields = {
            kind: sorted({trait.field for trait in self._back.traits if f"{kind.value}s" in trait.of})
            for kind in (ObjectKind.CONTACT, ObjectKind.LEAD)
        }
        self._rounds: dict[str, _Round] = {}

    def streams(self) -> Sequence[str]:
        """Returns the types of object. Leads come first, so that a converted one is joined with its contact early."""
        return [one for one in ("leads", "contacts", "deals") if one in self._back.objects]

    def changes(self, stream: str, cursor: str) -> Page:
        """Returns one page of a round."""
        at, turn = STREAMS[stream], self._rounds.setdefault(stream, _Round())
        if turn.missing is None:
            return Page(tuple(self._listed(at, turn)), cursor, more=True)
        part, turn.missing = turn.missing[:PAGE], turn.missing[PAGE:]
        changes = tuple(change for name in part for change in self._single(at, name))
        if not turn.missing:
            del self._rounds[stream]
        return Page(changes, cursor, more=bool(turn.missing))

    def _listed(self, at: Stream, turn: _Round) -> Iterator[Change]:
        body = checked(
            self._send(Call(method="GET", path=f"{at.path}?limit={PAGE}&offset={turn.offset}")), CRM, classify
        )
        lists = [dicts_in(_at(body, path)) for path in at.lists]
        turn.offset += PAGE
        if all(len(one) < PAGE for one in lists):
            rows = {str(row["id"]) for one in lists for row in one}
            turn.missing = sorted({*self._known.present(at.kind)} - turn.listed - rows)
        for row in (row for one in lists for row in one):
            turn.listed.add(str(row["id"]))
            if change := self._change(at.kind, row):
                yield change

    def _single(self, at: Stream, name: str) -> Iterator[Change]:
        answer = self._send(Call(method="GET", path=f"{at.path}{quote(name)}/"))
        if answer.status in NOT_FOUND:
            yield Change(kind=at.kind, id=name, modified_ms=self._clock(), fate=Fate.DELETED)
            return
        row = checked(answer, CRM, classify).get(at.detail) or {}
        if at.kind is ObjectKind.LEAD and row.get("status") == CONVERTED:
            yield self._converted(row)
        elif row.get("id") and (change := self._change(at.kind, row)):
            yield change

    def _converted(self, row: Mapping[str, Any]) -> Change:
        """Returns a converted lead. BottleCRM makes or takes the contact that has the lead's e-mail address."""
        email = text(row.get("email"))
        path = f"/api/contacts/?limit={PAGE}&email={quote(email)}"
        contacts = (
            dicts_in(checked(self._send(Call(method="GET", path=path)), CRM, classify).get("results")) if email else ()
        )
        same = (text(one.get("id")) for one in contacts if text(one.get("email")).lower() == email.lower())
        return Change(
            kind=ObjectKind.LEAD, id=str(row["id"]), modified_ms=millis(row.get("updated_at")), fate=Fate.CONVERTED,
            into=next(same, ""), people=(_person(row),),
        )  # fmt: skip

    def _change(self, kind: ObjectKind, row: Mapping[str, Any]) -> Change | None:
        """Returns an object as it is; None if it has changed so lately that the sink may have done it."""
        if kind is ObjectKind.DEAL:
            return self._deal(row)
        modified_ms = millis(row.get("updated_at"))
        if modified_ms > self._clock() - round(self._back.delay_seconds * 1000):
            return None
        custom = row.get("custom_fields") or {}
        fields = {name: text(row[name] if name in row else custom.get(name)) for name in self._fields[kind]}
        fields[names.OWNER] = self._owner(row)
        if kind is ObjectKind.CONTACT:
            fields[names.COMPANY] = text(row.get("account"))
        return Change(
            kind=kind, id=str(row["id"]), modified_ms=modified_ms, created_ms=millis(row.get("created_at")),
            fields=fields, people=(_person(row),),
        )  # fmt: skip

    def _deal(self, row: Mapping[str, Any]) -> Change:
        kind = text(row.get("stage_kind"))
        fields = {
            names.NAME: text(row.get("name")), names.STAGE: text(row.get("stage")),
            names.AMOUNT: text(row.get("amount")),
            names.OUTCOME: kind if kind in {names.WON, names.LOST} else "open",
            names.CURRENCY: text(row.get("currency")), names.CLOSES: text(row.get("closed_on")),
            names.COMPANY: text((row.get("account") or {}).get("id")), names.OWNER: self._owner(row),
        }  # fmt: skip
        created_ms = millis(row.get("created_at"))
        return Change(
            kind=ObjectKind.DEAL, id=str(row["id"]), fields=fields, created_ms=created_ms, modified_ms=self._clock(),
            stage_ms=max(created_ms, millis(row.get("stage_changed_at"))),
            people=tuple(_person(one) for one in dicts_in(row.get("contacts"))),
        )  # fmt: skip

    def _owner(self, row: Mapping[str, Any]) -> str:
        """Returns the assigned user: of several, the first one that ``owners`` names."""
        assigned = sorted(text(one.get("id")) for one in dicts_in(row.get("assigned_to")))
        return next((one for one in assigned if one in self._reps), next(iter(assigned), ""))


def _person(row: Mapping[str, Any]) -> Person:
    return Person(str(row["id"]), text(row.get("email")), text(row.get("phone")))


def _at(body: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = body
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
