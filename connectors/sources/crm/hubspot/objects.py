"""Converts HubSpot's rows to changes. Reads the associated contacts and companies, which a row does not name."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from connectors.crm.exchange import Call, Send, dicts_in
from connectors.crm.hubspot.answers import checked as classify
from connectors.crm.hubspot.calls import NOTE_KEY
from connectors.crm.hubspot.tracked import (
    ACTIVITIES,
    DEAL,
    MERGED,
    OWNER,
    created_property,
    modified_property,
    traits_of,
)
from connectors.sources.crm import change as names
from connectors.sources.crm.answers import checked, millis, text
from connectors.sources.crm.change import Change, Fate, ObjectKind, Person
from pipeline.rules.crm import CrmConnection

CRM: Final = "HubSpot"
BATCH: Final = 100
"""Maximum number of inputs in a batch request."""
KINDS: Final = {"contacts": ObjectKind.CONTACT, "companies": ObjectKind.COMPANY, "deals": ObjectKind.DEAL}
_DEAL_FIELDS: Final = dict(
    zip(
        (names.NAME, names.STAGE, names.AMOUNT, names.CURRENCY, names.CLOSES, names.OWNER, names.LOST_REASON),
        DEAL,
        strict=True,
    )
)
"""Our name → HubSpot's property."""

Row = Mapping[str, Any]
"""An object as HubSpot returns it: its id and its properties."""


class _Times(NamedTuple):
    modified_ms: int
    created_ms: int


class Objects:
    """Converts the rows of one account to changes.

    Raises (every method):
        StoppedError: HubSpot is not available now.
        SinkError: A right is missing, or HubSpot refuses the request itself.
    """

    def __init__(self, connection: CrmConnection, send: Send) -> None:
        self._send = send
        self._objects = f"/crm/objects/{connection.version}"
        self._associations = f"/crm/associations/{connection.associations_version}"
        self._traits = traits_of(connection.back)

    def changes(self, object_type: str, rows: Sequence[Row]) -> Iterator[Change]:
        """Yields the present state of each row, and a merge for each contact that a row names as merged into it.

        Omits the sink's own notes.
        """
        if object_type == "contacts":
            for row in rows:
                yield from self._contact(row)
        elif object_type == "companies":
            yield from (_company(row) for row in rows)
        else:
            rows = [row for row in rows if not (row.get("properties") or {}).get(NOTE_KEY)]
            people, companies = self._people_of(object_type, rows), {}
            if object_type == "deals":
                companies = self._associated(object_type, "companies", [str(row["id"]) for row in rows])
            for row in rows:
                found = tuple(people.get(str(row["id"]), ()))
                company = next(iter(companies.get(str(row["id"]), ())), "")
                yield _deal(row, found, company) if object_type == "deals" else _activity(object_type, row, found)

    def _contact(self, row: Row) -> Iterator[Change]:
        values, name = row.get("properties") or {}, str(row["id"])
        person = Person(name, text(values.get("email")), text(values.get("phone")))
        fields = {one: text(values.get(one)) for one in self._traits}
        fields |= {names.OWNER: text(values.get(OWNER)), names.COMPANY: text(values.get("associatedcompanyid"))}
        times = _times("contacts", values)
        yield Change(
            kind=ObjectKind.CONTACT, id=name, fields=fields, people=(person,), modified_ms=times.modified_ms,
            created_ms=times.created_ms,
        )  # fmt: skip
        for merged in filter(None, text(values.get(MERGED)).split(";")):
            if merged != name:
                yield Change(
                    kind=ObjectKind.CONTACT, id=merged, fate=Fate.MERGED, into=name, people=(person,),
                    modified_ms=times.modified_ms,
                )  # fmt: skip

    def _people_of(self, object_type: str, rows: Sequence[Row]) -> dict[str, list[Person]]:
        """Returns object id → its contacts."""
        linked = self._associated(object_type, "contacts", [str(row["id"]) for row in rows])
        wanted = sorted({contact for contacts in linked.values() for contact in contacts})
        people: dict[str, Person] = {}
        for start in range(0, len(wanted), BATCH):
            inputs = [{"id": one} for one in wanted[start : start + BATCH]]
            body = {"inputs": inputs, "properties": ["email", "phone"]}
            call = Call(method="POST", path=f"{self._objects}/contacts/batch/read", body=body)
            for row in dicts_in(checked(self._send(call), CRM, classify).get("results")):
                values = row.get("properties") or {}
                people[str(row["id"])] = Person(str(row["id"]), text(values.get("email")), text(values.get("phone")))
        return {
            name: [people.get(contact, Person(contact)) for contact in contacts] for name, contacts in linked.items()
        }

    def _associated(self, object_type: str, other: str, ids: Sequence[str]) -> dict[str, list[str]]:
        """Returns object id → ids of the associated objects of another type."""
        if not ids:
            return {}
        path = f"{self._associations}/{object_type}/{other}/batch/read"
        body = checked(
            self._send(Call(method="POST", path=path, body={"inputs": [{"id": one} for one in ids]})), CRM, classify
        )
        return {
            text((row.get("from") or {}).get("id")): [
                text(end.get("toObjectId") or end.get("id")) for end in dicts_in(row.get("to"))
            ]
            for row in dicts_in(body.get("results"))
        }


def modified_ms(object_type: str, row: Row) -> int:
    """Returns the time of a row's newest change; 0 if it has none."""
    return millis((row.get("properties") or {}).get(modified_property(object_type)))


def _company(row: Row) -> Change:
    values = row.get("properties") or {}
    fields = {names.NAME: text(values.get("name")), names.OWNER: text(values.get(OWNER))}
    times = _times("companies", values)
    return Change(
        kind=ObjectKind.COMPANY, id=str(row["id"]), fields=fields, modified_ms=times.modified_ms,
        created_ms=times.created_ms,
    )  # fmt: skip


def _deal(row: Row, people: tuple[Person, ...], company: str) -> Change:
    values = row.get("properties") or {}
    fields = {ours: text(values.get(theirs)) for ours, theirs in _DEAL_FIELDS.items()}
    times = _times("deals", values)
    return Change(
        kind=ObjectKind.DEAL, id=str(row["id"]), people=people, modified_ms=times.modified_ms,
        created_ms=times.created_ms,
        fields={**fields, names.OUTCOME: _outcome(values), names.COMPANY: company},
    )  # fmt: skip


def _activity(object_type: str, row: Row, people: tuple[Person, ...]) -> Change:
    values, (kind, subject, outcome) = row.get("properties") or {}, ACTIVITIES[object_type]
    fields = {
        names.ACTIVITY: kind, names.SUBJECT: text(values.get(subject)), names.OUTCOME: text(values.get(outcome)),
        names.OWNER: text(values.get(OWNER)),
    }  # fmt: skip
    times = _times(object_type, values)
    at_ms = millis(values.get("hs_timestamp")) or times.created_ms
    return Change(
        kind=ObjectKind.ACTIVITY, id=f"{object_type}-{row['id']}", fields=fields, people=people,
        modified_ms=times.modified_ms, created_ms=min(at_ms, times.modified_ms),
    )  # fmt: skip


def _times(object_type: str, values: Mapping[str, Any]) -> _Times:
    return _Times(millis(values.get(modified_property(object_type))), millis(values.get(created_property(object_type))))


def _outcome(values: Mapping[str, Any]) -> str:
    """Returns the outcome of a deal: by HubSpot's own flags, else by the names of the default pipeline's stages."""
    stage = text(values.get("dealstage"))
    if text(values.get("hs_is_closed_won")) == "true" or stage == "closedwon":
        return names.WON
    if text(values.get("hs_is_closed")) == "true" or stage == "closedlost":
        return names.LOST
    return "open"
