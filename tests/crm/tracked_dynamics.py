"""Dataverse's change tracking in memory: pages, delta links, deleted rows, and links that expire."""

from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx2
import msgspec

PAGE = 3
"""Most rows of one answer: fewer than a request allows."""
SERVER = "https://shop.crm4.dynamics.com"
BASE = "/api/data/v9.2"
TIMES = {"createdon", "modifiedon", "_ownerid_value"}
PERSON = {"emailaddress1", "telephone1", "merged", "_masterid_value"}
COLUMNS = {
    "leads": TIMES | PERSON | {"leadid", "statecode", "_parentcontactid_value"},
    "contacts": TIMES | PERSON | {"contactid", "_parentcustomerid_value", "jobtitle"},
    "accounts": TIMES | {"accountid", "name"},
    "opportunities": TIMES | {
        "opportunityid", "name", "stepname", "estimatedclosedate", "_parentaccountid_value", "statecode",
        "estimatedvalue", "actualvalue", "_parentcontactid_value", "_transactioncurrencyid_value",
    },
}  # fmt: skip
"""The columns that a request may select: any other is refused."""
IDS = {"contacts": "contactid", "leads": "leadid", "accounts": "accountid", "opportunities": "opportunityid"}
UNTRACKED = {"$filter", "$orderby", "$expand", "$top"}


class TrackedDynamics:
    """The tables of one environment. A version counts every change."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = {}
        self.log: list[tuple[str, str]] = []
        """(table, id) of every change, the version being the place."""
        self.oldest = 0
        """Versions before this one are no longer known: links to them have expired."""
        self.expired_status = 400
        """Microsoft documents the code of an expired link, not its HTTP status."""
        self.calls: list[str] = []
        self.server = SERVER
        """Beginning of all links."""

    def put(self, table: str, row: str, /, **columns: Any) -> None:
        """Creates or changes a row."""
        self.rows.setdefault(table, {}).setdefault(row, {}).update(columns)
        self.log.append((table, row))

    def remove(self, table: str, name: str) -> None:
        """Deletes a row."""
        del self.rows[table][name]
        self.log.append((table, name))

    def expire(self) -> None:
        """Forgets all changes so far, as after 7 days."""
        self.oldest = len(self.log)

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self._handle)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.calls.append(str(request.url))
        if request.headers.get("authorization") != "Bearer token":
            return httpx2.Response(401)
        assert "odata.track-changes" in request.headers["prefer"]
        table, query = request.url.path.rpartition("/")[2], dict(parse_qsl(urlsplit(str(request.url)).query))
        columns = query["$select"].split(",")
        if unknown := sorted({*columns} - COLUMNS[table]):
            message = f"Could not find a property named '{unknown[0]}' on type 'Microsoft.Dynamics.CRM.{table}'."
            return _refused(400, "0x80060888", message)
        if query.keys() & UNTRACKED:
            return _refused(400, "0x80060888", "The change tracking request has a query option that it cannot have.")
        start, version = _place(query.get("$skiptoken", ""), len(self.log))
        since = -1
        if "$deltatoken" in query:
            since = int(query["$deltatoken"].partition("!")[0])
            if since < self.oldest:
                message = "Version stamp associated with the client has expired. Please perform a full sync."
                return _refused(self.expired_status, "0x80044352", message)
        names = self._changed(table, since) if since >= 0 else sorted(self.rows.get(table, {}))
        rows = [self._row(table, name, columns) for name in names[start : start + PAGE]]
        selected = f"{self.server}{BASE}/{table}?$select={','.join(columns)}"
        body = {"@odata.context": f"{self.server}{BASE}/$metadata#{table}({','.join(columns)})/$delta", "value": rows}
        if start + PAGE < len(names):
            delta = f"&$deltatoken={quote(query['$deltatoken'], safe='')}" if since >= 0 else ""
            body["@odata.nextLink"] = f"{selected}{delta}&$skiptoken={_cookie(start + PAGE, version)}"
        else:
            body["@odata.deltaLink"] = f"{selected}&$deltatoken={version}%2108%2f22%2f2026%2008%3a10%3a44"
        return _json(200, body)

    def _changed(self, table: str, since: int) -> list[str]:
        """The ids of the changed rows, and after them those of the deleted ones."""
        names = [*dict.fromkeys(name for one, name in self.log[since:] if one == table)]
        return sorted(names, key=lambda name: name not in self.rows[table])

    def _row(self, table: str, name: str, columns: list[str]) -> dict[str, Any]:
        if name not in self.rows[table]:
            context = f"{self.server}{BASE}/$metadata#{table}/$deletedEntity"
            return {"@odata.context": context, "id": name, "reason": "deleted"}
        row = {**self.rows[table][name], IDS[table]: name}
        return {"@odata.etag": f'W/"{len(self.log)}"', **{column: row.get(column) for column in columns}}


def _cookie(start: int, version: int) -> str:
    """A paging cookie, which is XML with an attribute that is encoded twice."""
    page = quote(quote(f'<cookie page="1" last="{{0}}" version="{version}" />', safe=""), safe="")
    return quote(f'<cookie pagenumber="{start}" pagingcookie="', safe="") + page + quote('" istracking="False" />')


def _place(cookie: str, version: int) -> tuple[int, int]:
    """Number of the first row, and the version at which the listing began."""
    if not cookie:
        return 0, version
    inner = cookie.partition('pagingcookie="')[2].partition('"')[0]
    assert inner.startswith("%3C"), f"the paging cookie is decoded: {cookie}"
    return int(cookie.split('"')[1]), int(inner.partition("version%3D%22")[2].partition("%22")[0])


def _json(status: int, body: Any) -> httpx2.Response:
    headers = {"content-type": "application/json; odata.metadata=minimal"}
    return httpx2.Response(status, content=msgspec.json.encode(body), headers=headers)


def _refused(status: int, code: str, message: str) -> httpx2.Response:
    return _json(status, {"error": {"code": code, "message": message}})
