"""Salesforce's ``queryAll`` in memory: the query that a reader of changes needs, with late commits and one time."""

import re
from typing import Any

import httpx2
import msgspec

from pipeline.event.instant import format_instant, parse_instant

QUERY = re.compile(
    r"SELECT (?P<fields>[\w.,]+) FROM (?P<object>\w+) WHERE SystemModstamp >= (?P<since>\S+)"
    r" AND SystemModstamp <= (?P<until>\S+)(?: AND Id > '(?P<after>\w+)')? ORDER BY Id LIMIT (?P<limit>\d+)"
)


class QueryableSalesforce:
    """The objects of one organisation."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.objects: dict[str, dict[str, dict[str, Any]]] = {}
        self.hidden: set[str] = set()
        """Ids of rows whose change is not committed yet."""
        self.queries: list[str] = []

    def put(self, kind: str, row: str, /, **fields: Any) -> None:
        """Creates or changes an object."""
        now = format_instant(self.clock())
        held = self.objects.setdefault(kind, {}).setdefault(row, {"Id": row, "CreatedDate": now, "IsDeleted": False})
        held |= {"SystemModstamp": now, **fields}

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self._handle)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == "/services/data/v67.0/queryAll"
        query = request.url.params["q"]
        self.queries.append(query)
        asked = QUERY.fullmatch(query)
        assert asked, query
        since, until = parse_instant(asked["since"]), parse_instant(asked["until"])
        rows = [
            row
            for name, row in sorted(self.objects.get(asked["object"], {}).items())
            if since <= parse_instant(row["SystemModstamp"]) <= until
            and name > (asked["after"] or "")
            and name not in self.hidden
        ][: int(asked["limit"])]
        records = [_selected(row, asked["fields"].split(",")) for row in rows]
        return httpx2.Response(200, content=msgspec.json.encode({"records": records, "done": True}))


def _selected(row: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for field in fields:
        parent, _, child = field.rpartition(".")
        if parent:
            chosen.setdefault(parent, {})[child] = row.get(field)
        else:
            chosen[field] = row.get(field)
    return chosen
