"""HubSpot's read side in memory: search by time of change, archived objects, associations, deals and calls."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from tests.crm.hubspot_emulator import HubSpot, Refusal

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
        """Archives an object."""
        del self._store(kind)[name]
        self.archived[kind][name] = self.clock()

    def merge_by_hand(self, survivor: str, loser: str) -> str:
        third = super().merge_by_hand(survivor, loser)
        self.put("contacts", third, hs_merged_object_ids=f"{survivor};{loser}")
        self.archived["contacts"][loser] = self.clock()
        return third

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
            found = {one: self.linked.get((hit[1], one, hit[2]), []) for one in inputs}
            results = [
                {"from": {"id": one}, "to": [{"toObjectId": int(to)} for to in ids]} for one, ids in found.items()
            ]
            return 200, {"results": [result for result in results if result["to"]]}
        if (hit := re.fullmatch(r"/crm/objects/2026-09/(\w+)", path)) and query.get("archived") == "true":
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
        results = [
            {"id": name, "properties": {wanted: self._store(kind)[name].get(wanted) for wanted in body["properties"]}}
            for name in rows[: body["limit"]]
        ]
        return 200, {"total": min(len(rows), MAX_RESULTS), "results": results}

    def _filtered(self, kind: str, rows: list[str], one: dict[str, str]) -> Iterator[str]:
        name, limit = one["propertyName"], int(one["value"])
        for row in rows:
            value = int(row if name == "hs_object_id" else self._store(kind)[row].get(name, "0"))
            if {"GTE": value >= limit, "LTE": value <= limit, "GT": value > limit}[one["operator"]]:
                yield row

    def _listed(self, kind: str, query: Any) -> tuple[int, Any]:
        names = sorted(self.archived[kind], key=int)
        start, limit = int(query.get("after") or 0), int(query["limit"])
        results = [{"id": name, "archivedAt": str(self.archived[kind][name])} for name in names[start : start + limit]]
        more = {"paging": {"next": {"after": str(start + limit)}}} if start + limit < len(names) else {}
        return 200, {"results": results, **more}


def _modified(kind: str) -> str:
    return "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"


def _body(request: Any) -> Any:
    return msgspec.json.decode(request.content)
