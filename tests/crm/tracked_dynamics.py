"""Dataverse's change tracking in memory: delta links, deleted rows, and links that expire."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec

PAGE = 3
SERVER = "https://shop.crm4.dynamics.com"


class TrackedDynamics:
    """The tables of one environment. A version counts every change."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = {}
        self.log: list[tuple[str, str]] = []
        """(table, id) of every change, the version being the place."""
        self.oldest = 0
        """Versions before this one are no longer known: links to them have expired."""
        self.calls: list[str] = []

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
        assert "odata.track-changes" in request.headers["prefer"]
        table = request.url.path.rpartition("/")[2]
        query = parse_qs(urlsplit(str(request.url)).query)
        if token := query.get("$deltatoken"):
            if int(token[0]) < self.oldest:
                error = {"error": {"code": "0x80060888", "message": "Version number in the token is expired"}}
                return httpx2.Response(410, content=msgspec.json.encode(error))
            changed = dict.fromkeys(name for one, name in self.log[int(token[0]) :] if one == table)
            rows = [self._row(table, name) for name in changed]
            return self._answer(table, rows, "")
        names = sorted(self.rows.get(table, {}))
        start = int((query.get("$skiptoken") or ["0"])[0])
        following = str(start + PAGE) if start + PAGE < len(names) else ""
        return self._answer(table, [self._row(table, name) for name in names[start : start + PAGE]], following)

    def _row(self, table: str, name: str) -> dict[str, Any]:
        if name not in self.rows[table]:
            context = f"{SERVER}/api/data/v9.2/$metadata#{table}/$deletedEntity"
            return {"@odata.context": context, "id": f"{SERVER}/api/data/v9.2/{table}({name})", "reason": "deleted"}
        ids = {"contacts": "contactid", "leads": "leadid", "accounts": "accountid", "opportunities": "opportunityid"}
        return {ids[table]: name, **self.rows[table][name]}

    def _answer(self, table: str, rows: list[dict[str, Any]], following: str) -> httpx2.Response:
        path = f"{SERVER}/api/data/v9.2/{table}"
        link = {"@odata.nextLink": f"{path}?$skiptoken={following}"} if following else {
            "@odata.deltaLink": f"{path}?$deltatoken={len(self.log)}"
        }  # fmt: skip
        return httpx2.Response(200, content=msgspec.json.encode({"value": rows, **link}))
