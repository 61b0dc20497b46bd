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
DATA = "/services/data/v67.0"
OWNED = {"Id", "IsDeleted", "CreatedDate", "SystemModstamp", "OwnerId"}
PERSON = {"Email", "Phone", "MasterRecordId", "Title"}
FIELDS = {
    "Lead": OWNED | PERSON | {"IsConverted", "ConvertedContactId", "Status"},
    "Contact": OWNED | PERSON | {"AccountId"},
    "Account": OWNED | {"Name", "MasterRecordId"},
    "Opportunity": OWNED | {
        "Name", "StageName", "Amount", "CloseDate", "AccountId", "IsWon", "IsClosed", "ContactId", "Contact.Email",
        "Contact.Phone",
    },
    "Task": OWNED | {"Subject", "Status", "TaskSubtype", "WhoId", "ActivityDate"},
    "Event": OWNED | {"Subject", "WhoId", "EndDateTime"},
}  # fmt: skip
"""The fields that a query may name: any other is refused."""


class QueryableSalesforce:
    """The objects of one organisation."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.objects: dict[str, dict[str, dict[str, Any]]] = {}
        self.hidden: set[str] = set()
        """Ids of rows whose change is not committed yet."""
        self.queries: list[str] = []
        self.batch = 2000
        """Most rows of one answer. Salesforce may choose a smaller number than the query's limit."""
        self.refuses: tuple[int, str, str] | None = None
        """Status, code and message of the answer to every request."""
        self._rest: dict[str, list[dict[str, Any]]] = {}
        """Query locator → the rows that its query has not returned yet."""

    def put(self, kind: str, row: str, /, **fields: Any) -> None:
        """Creates or changes an object."""
        now = format_instant(self.clock())
        held = self.objects.setdefault(kind, {}).setdefault(row, {"Id": row, "CreatedDate": now, "IsDeleted": False})
        held |= {"SystemModstamp": now, **fields}

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self._handle)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        if request.headers.get("authorization") != "Bearer token":
            return _refused(401, "INVALID_SESSION_ID", "Session expired or invalid")
        if self.refuses:
            return _refused(*self.refuses)
        path = request.url.path.rstrip("/")
        if locator := path.removeprefix(f"{DATA}/queryAll").removeprefix("/"):
            if locator not in self._rest:
                return _refused(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
            return self._answer(self._rest.pop(locator))
        assert path == f"{DATA}/queryAll", path
        query = request.url.params["q"]
        self.queries.append(query)
        asked = QUERY.fullmatch(query)
        if not asked:
            return _refused(400, "MALFORMED_QUERY", f"unexpected token: {query}")
        if unknown := sorted({*asked["fields"].split(",")} - FIELDS[asked["object"]]):
            return _refused(400, "INVALID_FIELD", f"No such column '{unknown[0]}' on entity '{asked['object']}'.")
        return self._answer(self._rows(asked))

    def _rows(self, asked: re.Match[str]) -> list[dict[str, Any]]:
        since, until = parse_instant(asked["since"]) or 0, parse_instant(asked["until"]) or 0
        kind = asked["object"]
        rows = [
            row
            for name, row in sorted(self.objects.get(kind, {}).items())
            if since <= (parse_instant(row["SystemModstamp"]) or 0) <= until
            and name > (asked["after"] or "")
            and name not in self.hidden
        ]
        return [_selected(kind, row, asked["fields"].split(",")) for row in rows[: int(asked["limit"])]]

    def _answer(self, rows: list[dict[str, Any]]) -> httpx2.Response:
        body: dict[str, Any] = {"totalSize": len(rows), "done": len(rows) <= self.batch, "records": rows[: self.batch]}
        if not body["done"]:
            locator = f"01g{len(self.queries):012d}AAA-{len(rows) - self.batch}"
            self._rest[locator] = rows[self.batch :]
            body["nextRecordsUrl"] = f"{DATA}/queryAll/{locator}"
        return _json(200, body)


def _selected(kind: str, row: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    """The fields of a row. Those of a parent are nested; null is the parent that the row does not have."""
    chosen: dict[str, Any] = {"attributes": {"type": kind, "url": f"{DATA}/sobjects/{kind}/{row['Id']}"}}
    for field in fields:
        parent, _, child = field.rpartition(".")
        if not parent:
            chosen[field] = row.get(field)
        elif row.get(f"{parent}Id"):
            held = chosen.setdefault(parent, {"attributes": {"type": parent}})
            held[child] = row.get(field)
        else:
            chosen[parent] = None
    return chosen


def _json(status: int, body: Any) -> httpx2.Response:
    headers = {"content-type": "application/json;charset=UTF-8"}
    return httpx2.Response(status, content=msgspec.json.encode(body), headers=headers)


def _refused(status: int, code: str, message: str) -> httpx2.Response:
    return _json(status, [{"message": message, "errorCode": code}])
