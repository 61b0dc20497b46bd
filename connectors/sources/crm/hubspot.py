"""Reads HubSpot: contacts, companies, deals and activities by time of change, and what was deleted.

A stream searches one type of object. HubSpot's search returns at most 10,000 results of a query and has one order; so
each page is a query of its own, for the ids after the last one within a window of time (:mod:`.window`). A merged
contact is a name in ``hs_merged_object_ids`` of its survivor. Deleted objects have no time to search by: all of them
are listed from time to time.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from connectors.crm.exchange import Call, Send, dicts_in
from connectors.crm.hubspot.answers import checked as classify
from connectors.sources.crm import change as names
from connectors.sources.crm.answers import checked, millis, text
from connectors.sources.crm.change import Change, Fate, ObjectKind, Page, Person
from connectors.sources.crm.window import advanced, current, is_behind, span_of
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection

CRM: Final = "HubSpot"
PAGE: Final = 200
ARCHIVE_PAGE: Final = 100
ARCHIVE_EVERY_MS: Final = 900_000
NOTE_KEY: Final = "stitchline_note"
OWNER: Final = "hubspot_owner_id"
MERGED: Final = "hs_merged_object_ids"
ACTIVITIES: Final = {
    "calls": ("call", "hs_call_title", "hs_call_status"),
    "meetings": ("meeting", "hs_meeting_title", "hs_meeting_outcome"),
    "emails": ("email", "hs_email_subject", "hs_email_status"),
    "notes": ("note", "", ""),
    "tasks": ("task", "hs_task_subject", "hs_task_status"),
}
"""Object type → kind of activity, property of its subject, property of its outcome."""
KINDS: Final = {"contacts": ObjectKind.CONTACT, "companies": ObjectKind.COMPANY, "deals": ObjectKind.DEAL}
DEAL_PROPERTIES: Final = {
    names.NAME: "dealname", names.STAGE: "dealstage", names.AMOUNT: "amount", names.CURRENCY: "deal_currency_code",
    names.CLOSES: "closedate", names.OWNER: OWNER, names.LOST_REASON: "closed_lost_reason",
}  # fmt: skip


class _Times(NamedTuple):
    modified_ms: int
    created_ms: int


class HubSpotReader:
    """Reads one account. Implements :class:`~connectors.sources.crm.reader.CrmReader`."""

    owner_field = OWNER

    def __init__(self, connection: CrmConnection, send: Send, clock: Clock) -> None:
        self._back, self._send, self._clock = connection.back, send, clock
        self._objects = f"/crm/objects/{connection.version}"
        self._associations = f"/crm/associations/{connection.associations_version}"
        back = connection.back
        self._span = span_of(back.since_days, back.overlap_minutes, back.delay_seconds, back.step_hours)
        self._traits = sorted({trait.field for trait in back.traits if "contacts" in trait.of})

    def streams(self) -> Sequence[str]:
        """Returns the types of object, each also as ``archived-TYPE``."""
        wanted = [one for one in ("contacts", "companies", "deals") if one in self._back.objects]
        archived = [f"archived-{one}" for one in wanted]
        return [*wanted, *archived, *(ACTIVITIES if "activities" in self._back.objects else ())]

    def changes(self, stream: str, cursor: str) -> Page:
        """Returns one page of a stream."""
        if stream.startswith("archived-"):
            return self._archived(stream.removeprefix("archived-"), cursor)
        window = current(cursor, self._clock(), self._span)
        body = checked(self._send(self._search(stream, window.from_ms, window.until_ms, window.after)), CRM, classify)
        rows = [row for row in dicts_in(body.get("results")) if row.get("id")]
        # A search may return fewer results than its limit, with a page after them.
        has_rest = len(rows) >= PAGE or (bool(rows) and bool(_after(body)))
        window = advanced(window, str(rows[-1]["id"]) if rows else "", full=has_rest)
        changes = tuple(self._changes(stream, rows))
        return Page(changes, window.text(), is_behind(window))

    def _search(self, stream: str, from_ms: int, until_ms: int, after: str) -> Call:
        modified = _modified(stream)
        filters = [
            {"propertyName": modified, "operator": "GTE", "value": str(from_ms)},
            {"propertyName": modified, "operator": "LTE", "value": str(until_ms)},
        ]
        if after:
            filters.append({"propertyName": "hs_object_id", "operator": "GT", "value": after})
        body = {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": self._properties(stream),
            "limit": PAGE,
        }
        return Call(method="POST", path=f"{self._objects}/{stream}/search", body=body, policy="search")

    def _properties(self, stream: str) -> list[str]:
        own: Sequence[str]
        if stream == "contacts":
            own = [*self._traits, "email", "phone", OWNER, "associatedcompanyid", MERGED]
        elif stream == "companies":
            own = ["name", OWNER]
        elif stream == "deals":
            own = [*DEAL_PROPERTIES.values(), "hs_is_closed", "hs_is_closed_won"]
        else:
            own = [*(one for one in ACTIVITIES[stream][1:] if one), "hs_timestamp", OWNER, NOTE_KEY]
        return sorted({*own, "createdate" if stream in KINDS else "hs_createdate", _modified(stream)})

    def _changes(self, stream: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
        if stream == "contacts":
            for row in rows:
                yield from self._contact(row)
        elif stream == "companies":
            yield from (self._company(row) for row in rows)
        else:
            rows = [row for row in rows if not (row.get("properties") or {}).get(NOTE_KEY)]
            people, companies = self._people_of(stream, rows), {}
            if stream == "deals":
                companies = self._associated(stream, "companies", [str(row["id"]) for row in rows])
            for row in rows:
                found = tuple(people.get(str(row["id"]), ()))
                company = next(iter(companies.get(str(row["id"]), ())), "")
                yield self._deal(row, found, company) if stream == "deals" else self._activity(stream, row, found)

    def _contact(self, row: Mapping[str, Any]) -> Iterator[Change]:
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

    @staticmethod
    def _company(row: Mapping[str, Any]) -> Change:
        values = row.get("properties") or {}
        fields = {names.NAME: text(values.get("name")), names.OWNER: text(values.get(OWNER))}
        times = _times("companies", values)
        return Change(
            kind=ObjectKind.COMPANY, id=str(row["id"]), fields=fields, modified_ms=times.modified_ms,
            created_ms=times.created_ms,
        )  # fmt: skip

    @staticmethod
    def _deal(row: Mapping[str, Any], people: tuple[Person, ...], company: str) -> Change:
        values = row.get("properties") or {}
        fields = {ours: text(values.get(theirs)) for ours, theirs in DEAL_PROPERTIES.items()}
        times = _times("deals", values)
        return Change(
            kind=ObjectKind.DEAL, id=str(row["id"]), people=people, modified_ms=times.modified_ms,
            created_ms=times.created_ms,
            fields={**fields, names.OUTCOME: _outcome(values), names.COMPANY: company},
        )  # fmt: skip

    @staticmethod
    def _activity(stream: str, row: Mapping[str, Any], people: tuple[Person, ...]) -> Change:
        values, (kind, subject, outcome) = row.get("properties") or {}, ACTIVITIES[stream]
        fields = {
            names.ACTIVITY: kind, names.SUBJECT: text(values.get(subject)), names.OUTCOME: text(values.get(outcome)),
            names.OWNER: text(values.get(OWNER)),
        }  # fmt: skip
        times = _times(stream, values)
        at_ms = millis(values.get("hs_timestamp")) or times.created_ms
        return Change(
            kind=ObjectKind.ACTIVITY, id=f"{stream}-{row['id']}", fields=fields, people=people,
            modified_ms=times.modified_ms, created_ms=min(at_ms, times.modified_ms),
        )  # fmt: skip

    def _archived(self, stream: str, cursor: str) -> Page:
        """Returns a page of the deleted objects; none until the next listing is due."""
        after, due_ms = msgspec.json.decode(cursor, type=tuple[str, int]) if cursor else ("", 0)
        now_ms = self._clock()
        if now_ms < due_ms:
            return Page((), cursor)
        page = f"&after={after}" if after else ""
        call = Call(method="GET", path=f"{self._objects}/{stream}?archived=true&limit={ARCHIVE_PAGE}{page}")
        body = checked(self._send(call), CRM, classify)
        changes = tuple(
            Change(
                kind=KINDS[stream], id=str(row["id"]), modified_ms=millis(row.get("archivedAt")) or now_ms,
                fate=Fate.DELETED,
            )
            for row in dicts_in(body.get("results"))
            if row.get("id")
        )  # fmt: skip
        after = _after(body)
        due_ms = 0 if after else now_ms + ARCHIVE_EVERY_MS
        return Page(changes, msgspec.json.encode((after, due_ms)).decode(), bool(after))

    def _people_of(self, stream: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Person]]:
        """Returns object id → its contacts."""
        linked = self._associated(stream, "contacts", [str(row["id"]) for row in rows])
        wanted = sorted({contact for contacts in linked.values() for contact in contacts})
        people: dict[str, Person] = {}
        for start in range(0, len(wanted), ARCHIVE_PAGE):
            inputs = [{"id": one} for one in wanted[start : start + ARCHIVE_PAGE]]
            body = {"inputs": inputs, "properties": ["email", "phone"]}
            call = Call(method="POST", path=f"{self._objects}/contacts/batch/read", body=body)
            for row in dicts_in(checked(self._send(call), CRM, classify).get("results")):
                values = row.get("properties") or {}
                people[str(row["id"])] = Person(str(row["id"]), text(values.get("email")), text(values.get("phone")))
        return {
            name: [people.get(contact, Person(contact)) for contact in contacts] for name, contacts in linked.items()
        }

    def _associated(self, stream: str, other: str, ids: Sequence[str]) -> dict[str, list[str]]:
        """Returns object id → ids of the associated objects of another type."""
        if not ids:
            return {}
        path = f"{self._associations}/{stream}/{other}/batch/read"
        body = checked(
            self._send(Call(method="POST", path=path, body={"inputs": [{"id": one} for one in ids]})), CRM, classify
        )
        return {
            text((row.get("from") or {}).get("id")): [
                text(end.get("toObjectId") or end.get("id")) for end in dicts_in(row.get("to"))
            ]
            for row in dicts_in(body.get("results"))
        }


def _after(body: Mapping[str, Any]) -> str:
    """Returns HubSpot's name of the next page; "" if there is none."""
    return text(((body.get("paging") or {}).get("next") or {}).get("after"))


def _modified(stream: str) -> str:
    return "lastmodifieddate" if stream == "contacts" else "hs_lastmodifieddate"


def _times(stream: str, values: Mapping[str, Any]) -> _Times:
    created = "createdate" if stream in KINDS else "hs_createdate"
    return _Times(millis(values.get(_modified(stream))), millis(values.get(created)))


def _outcome(values: Mapping[str, Any]) -> str:
    """Returns the outcome of a deal: by HubSpot's own flags, else by the names of the default pipeline's stages."""
    stage = text(values.get("dealstage"))
    if text(values.get("hs_is_closed_won")) == "true" or stage == "closedwon":
        return names.WON
    if text(values.get("hs_is_closed")) == "true" or stage == "closedlost":
        return names.LOST
    return "open"
