"""HubSpot's read side in memory: search by time of change, archived objects, associations, deals and calls."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from pipeline.event.instant import format_instant
from tests.crm.hubspot_emulator import HubSpot, Refusal

DATES = ("createdate", "hs_createdate", "lastmodifieddate", "hs_lastmodifieddate", "closedate", "hs_timestamp")
OTHERS = ("companies", "deals", "calls", "meetings", "emails", "tasks")
MAX_RESULTS = 10_000
"""HubSpot answers 400 beyond so many results of one query; a page never needs them."""


class ReadableHubSpot(HubSpot):
    """One account with a clock of its own."""

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__()
        self.clock = clock
        self.others: dict[str, dict[str, dict[str, str]]] = {kind: {} for kind in OTHERS}
        self.linked: dict[tuple[str, str, str], list[str]] = {}
        """(type, id, other type) → ids of the associated objects."""
        self.archived: dict[str, dict[str, int]] = {kind: {} for kind in ("contacts", "companies", "deals")}
        self.hidden: set[tuple[str, str]] = set()
        """Objects that the search does not show yet, although they are changed."""
        self.search_page = 200
        """Most results of one search."""

    def put(self, kind: str, row: str = "", /, at_ms: int = 0, **properties: str) -> str:
        """Creates or changes an object of any type. Returns its id."""
        if not row:
            self._next += 1
            row = str(self._next)
            properties = {"createdate": str(at_ms or self.clock()), "hs_createdate": str(self.clock()), **properties}
        store = self._store(kind).setdefault(row, {})
        store |= properties | {_modified(kind): str(at_ms or self.clock())}
        return row

    def link(self, kind: str, name: str, other: str, *ids: str) -> None:
        """Associates an object with others, the main one first."""
        self.linked[kind, name, other] = list(ids)

    def remove(self, kind: str, name: str) -> None:
        """Archives an object, which ends its associations."""
        del self._store(kind)[name]
        self.archived[kind][name] = self.clock()
        self._relink(kind, {name: None})

    def merge_by_hand(self, survivor: str, loser: str) -> str:
        third = super().merge_by_hand(survivor, loser)
        self.put("contacts", third, hs_merged_object_ids=f"{survivor};{loser}")
        self.archived["contacts"][loser] = self.clock()
        self._relink("contacts", {survivor: third, loser: third})
        return third

    def _relink(self, other: str, moved: dict[str, str | None]) -> None:
        """Moves the associations with some objects to other ones, or ends them."""
        for (kind, name, to), ids in self.linked.items():
            if to == other:
                ends = dict.fromkeys(moved.get(one, one) for one in ids)
                self.linked[kind, name, to] = [one for one in ends if one is not None]

    def _put(self, kind: str, name: str, properties: dict[str, str]) -> None:
        super()._put(kind, name, properties)
        self.objects[kind][name] |= {"createdate": str(self.clock())} | self.objects[kind][name]
        self.objects[kind][name][_modified(kind)] = str(self.clock())

    def _store(self, kind: str) -> dict[str, dict[str, str]]:
        return self.objects[kind] if kind in self.objects else self.others[kind]

    def _route(self, request: Any) -> tuple[int, Any]:
        path, query = request.url.path, request.url.params
        if hit := re.fullmatch(r"/crm/objects/2026-09/(\w+)/search", path):
            return self._search(hit[1], _body(request))
        if hit := re.fullmatch(r"/crm/associations/2026-03/(\w+)/(\w+)/batch/read", path):
            inputs = [one["id"] for one in _body(request)["inputs"]]
            return self._associated(hit[1], hit[2], inputs)
        if (hit := re.fullmatch(r"/crm/objects/2026-09/(\w+)", path)) and query.get("archived", "").lower() == "true":
            return self._listed(hit[1], query)
        return super()._route(request)

    def _search(self, kind: str, body: Any) -> tuple[int, Any]:
        ((group,), (order,)) = body["filterGroups"], body["sorts"]
        if body["limit"] > 200 or order != {"propertyName": "hs_object_id", "direction": "ASCENDING"}:
            raise Refusal(400, "VALIDATION_ERROR", "limit or sort")
        rows = [name for name in self._store(kind) if (kind, name) not in self.hidden]
        for one in group["filters"]:
            rows = [*self._filtered(kind, rows, one)]
        rows.sort(key=int)
        start = int(body.get("after") or 0)
        end = start + min(body["limit"], self.search_page)
        results = [self._shown(kind, name, body["properties"]) for name in rows[start:end]]
        more = {"paging": {"next": {"after": str(end)}}} if end < len(rows) else {}
        return 200, {"total": min(len(rows), MAX_RESULTS), "results": results, **more}

    def _shown(self, kind: str, name: str, wanted: list[str]) -> dict[str, Any]:
        held = self._store(kind)[name]
        properties = {one: _shown_value(one, held.get(one)) for one in ("hs_object_id", *wanted)}
        return {"id": name, "properties": {**properties, "hs_object_id": name}, "archived": False, **_times(held)}

    def _associated(self, kind: str, other: str, ids: list[str]) -> tuple[int, Any]:
        """The associations of each object. Those that have none are errors, with the status 207."""
        labels = [{"category": "HUBSPOT_DEFINED", "typeId": 3, "label": None}]
        found = {one: self.linked.get((kind, one, other), []) for one in ids}
        results = [
            {"from": {"id": one}, "to": [{"toObjectId": int(to), "associationTypes": labels} for to in linked]}
            for one, linked in found.items()
            if linked
        ]
        errors = [
            {
                "status": "error", "category": "OBJECT_NOT_FOUND", "message": f"No {other} is associated with {one}.",
                "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND", "context": {"fromObjectId": [one]},
                "links": {}, "errors": [],
            }
            for one, linked in found.items()
            if not linked
        ]  # fmt: skip
        body = {"status": "COMPLETE", "results": results, **_now(self.clock())}
        return (207, {**body, "numErrors": len(errors), "errors": errors}) if errors else (200, body)

    def _read(self, kind: str, body: Any, inputs: list[Any]) -> tuple[int, Any]:
        status, answer = super()._read(kind, body, inputs)
        for row in answer["results"]:
            row |= {"archived": False, **_times(self.objects[kind][row["id"]])}
        return status, {**answer, **_now(self.clock())}

    def _filtered(self, kind: str, rows: list[str], one: dict[str, str]) -> Iterator[str]:
        name, limit = one["propertyName"], int(one["value"])
        for row in rows:
            value = int(row if name == "hs_object_id" else self._store(kind)[row].get(name, "0"))
            if {"GTE": value >= limit, "LTE": value <= limit, "GT": value > limit}[one["operator"]]:
                yield row

    def _listed(self, kind: str, query: Any) -> tuple[int, Any]:
        names = sorted(self.archived[kind], key=int)
        start, limit = int(query.get("after") or 0), int(query["limit"])
        results = [
            {
                "id": name, "archived": True, "archivedAt": _iso(self.archived[kind][name]),
                "properties": {"hs_object_id": name}, **_times({}),
            }
            for name in names[start : start + limit]
        ]  # fmt: skip
        more = {"paging": {"next": {"after": str(start + limit)}}} if start + limit < len(names) else {}
        return 200, {"results": results, **more}


def _iso(at_ms: Any) -> str:
    return format_instant(int(at_ms)) or ""


def _now(at_ms: int) -> dict[str, str]:
    return {"startedAt": _iso(at_ms), "completedAt": _iso(at_ms)}


def _times(held: dict[str, str]) -> dict[str, str]:
    created = held.get("createdate") or held.get("hs_createdate") or "0"
    modified = held.get("lastmodifieddate") or held.get("hs_lastmodifieddate") or created
    return {"createdAt": _iso(created), "updatedAt": _iso(modified)}


def _shown_value(name: str, value: str | None) -> str | None:
    """A value as HubSpot returns it: times as ISO 8601, whatever they were written as."""
    return _iso(value) if value and name in DATES and value.isdecimal() else value


def _modified(kind: str) -> str:
    return "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"


def _body(request: Any) -> Any:
    return msgspec.json.decode(request.content)
