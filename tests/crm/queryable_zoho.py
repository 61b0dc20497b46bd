"""Zoho's records in memory, as a reader of changes asks for them: COQL, converted leads, lists of deleted records."""

import re
from typing import Any

import httpx2
import msgspec

from pipeline.event.instant import format_instant, parse_instant
from tests.crm.zoho import shapes
from tests.crm.zoho.emulator import BASE, Zoho

COQL = re.compile(
    r"select (?P<fields>[\w., ]+) from (?P<module>\w+) where \(?Modified_Time between '(?P<since>[^']+)' and"
    r" '(?P<until>[^']+)'\)?(?: and id > (?P<after>\d+))? order by id asc limit (?P<limit>\d+)"
    r"(?: offset (?P<offset>\d+))?"
)
COMMON = {"Created_Time": "datetime", "Modified_Time": "datetime", "Owner": "ownerlookup"}
PERSON = {"Email": "email", "Phone": "phone", "Title": "text", "Last_Name": "text"}
FIELDS = {
    "Leads": COMMON | PERSON | {"Converted__s": "boolean", "Converted_Contact": "lookup"},
    "Contacts": COMMON | PERSON | {"Account_Name": "lookup"},
    "Accounts": COMMON | {"Account_Name": "text"},
    "Deals": COMMON | {
        "Deal_Name": "text", "Stage": "picklist", "Amount": "currency", "Closing_Date": "date",
        "Account_Name": "lookup", "Contact_Name": "lookup",
    },
}  # fmt: skip
"""Module → its fields with their types."""
HIDDEN = {"Converted__s", "Converted_Contact"}
"""Fields that COQL refuses in some organisations, and knows only of converted leads in others."""
JOINED = {"Contact_Name.Email", "Contact_Name.Phone"}
MAX_PAGES = 10
"""Pages of a list that can be had by number."""


class QueryableZoho:
    """The modules of one organisation, with the logins and the metadata of the sink's emulator."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.modules: dict[str, dict[str, dict[str, Any]]] = {}
        self.deleted: dict[str, list[tuple[str, int]]] = {}
        self.page = 200
        """Most records of one answer."""
        self.sink = Zoho()
        self.sink.types |= FIELDS

    def put(self, module: str, row: str, /, **fields: Any) -> None:
        """Creates or changes a record."""
        now = f"{(format_instant(self.clock()) or '')[:19]}+00:00"
        held = self.modules.setdefault(module, {}).setdefault(row, {"id": row, "Created_Time": now})
        held |= {"Modified_Time": now, **fields}

    def remove(self, module: str, row: str) -> None:
        """Deletes a record."""
        del self.modules[module][row]
        self.deleted.setdefault(module, []).append((row, self.clock()))

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self._handle)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        path, query = request.url.path.removeprefix(BASE), request.url.params
        is_list = request.method == "GET" and re.fullmatch(r"/(Leads|Contacts|Accounts|Deals)(/deleted)?", path)
        if not is_list and path != "/coql":
            return self.sink.handle(request)
        if request.headers.get("authorization") not in self._keys():
            return shapes.error(401, "INVALID_TOKEN", "invalid oauth token")
        if path == "/coql":
            return self._coql(msgspec.json.decode(request.content)["select_query"])
        since = parse_instant(request.headers["if-modified-since"]) or 0
        module, number = path.split("/")[1], int(query["page"])
        if number > MAX_PAGES:
            return shapes.error(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", "use page_token beyond 2,000 records")
        if path.endswith("/deleted"):
            return self._answer(self._gone(module, since), number)
        assert query["converted"] == "true", query
        assert (query["sort_by"], query["sort_order"]) == ("Modified_Time", "asc"), query
        rows = [row for row in self._rows(module, converted=True) if (parse_instant(row["Modified_Time"]) or 0) > since]
        rows.sort(key=lambda row: (row["Modified_Time"], row["id"]))
        return self._answer([_selected(row, query["fields"].split(",")) for row in rows], number)

    def _keys(self) -> set[str]:
        return {f"Zoho-oauthtoken {token}" for token in ("token", *self.sink._tokens)}

    def _coql(self, text: str) -> httpx2.Response:
        asked = COQL.fullmatch(text)
        if not asked:
            return shapes.error(400, "SYNTAX_ERROR", "error occured while parsing the query")
        names, module = asked["fields"].split(", "), asked["module"]
        known = FIELDS[module].keys() - HIDDEN | JOINED | {"id"}
        if unknown := sorted({*names} - known):
            details = {"column_name": unknown[0], "reason": "column given seems to be invalid"}
            body = {"code": "INVALID_QUERY", "message": "invalid query formed", "status": "error", "details": details}
            return shapes.answer(400, body)
        since, until = parse_instant(asked["since"]) or 0, parse_instant(asked["until"]) or 0
        rows = [
            _selected(row, names)
            for row in self._rows(module, converted=False)
            if since <= (parse_instant(row["Modified_Time"]) or 0) <= until
            and int(row["id"]) > int(asked["after"] or 0)
        ]
        return self._answer(rows[int(asked["offset"] or 0) :], 1, int(asked["limit"]))

    def _rows(self, module: str, *, converted: bool) -> list[dict[str, Any]]:
        """The records in the order of their ids. Zoho shows converted leads only to those that ask for them."""
        rows = self.modules.get(module, {}).values()
        chosen = [row for row in rows if bool(row.get("Converted__s")) is converted]
        return sorted(chosen, key=lambda row: int(row["id"]))

    def _gone(self, module: str, since: int) -> list[dict[str, Any]]:
        rows = [(name, at_ms) for name, at_ms in self.deleted.get(module, []) if at_ms >= since]
        return [
            {
                "id": name, "deleted_time": f"{(format_instant(at_ms) or '')[:19]}+00:00", "type": "permanent",
                "display_name": "A record", "deleted_by": {"id": "9", "name": "Ann"},
            }
            for name, at_ms in rows
        ]  # fmt: skip

    def _answer(self, rows: list[dict[str, Any]], number: int, limit: int = 200) -> httpx2.Response:
        size = min(self.page, limit)
        shown = rows[(number - 1) * size : number * size]
        if not shown:
            return httpx2.Response(204)
        info = {"count": len(shown), "more_records": number * size < len(rows), "page": number, "per_page": size}
        return shapes.answer(200, {"data": shown, "info": info})


def _selected(row: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {"id": row["id"], **{name: row.get(name) for name in names}}
