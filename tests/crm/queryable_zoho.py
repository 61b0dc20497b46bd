"""Zoho's COQL and lists of deleted records in memory: the requests that a reader of changes sends."""

import re
from typing import Any

import httpx2
import msgspec

from pipeline.event.instant import format_instant, parse_instant

COQL = re.compile(
    r"select (?P<fields>[\w., ]+) from (?P<module>\w+) where \(?Modified_Time between '(?P<since>[^']+)' and"
    r" '(?P<until>[^']+)'\)?(?: and id > (?P<after>\d+))? order by id asc limit (?P<limit>\d+)"
)


class QueryableZoho:
    """The modules of one organisation."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.modules: dict[str, dict[str, dict[str, Any]]] = {}
        self.deleted: dict[str, list[tuple[str, int]]] = {}

    def put(self, module: str, row: str, /, **fields: Any) -> None:
        now = format_instant(self.clock())
        held = self.modules.setdefault(module, {}).setdefault(row, {"id": row, "Created_Time": now})
        held |= {"Modified_Time": now, **fields}

    def remove(self, module: str, row: str) -> None:
        del self.modules[module][row]
        self.deleted.setdefault(module, []).append((row, self.clock()))

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self._handle)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/coql"):
            asked = COQL.fullmatch(msgspec.json.decode(request.content)["select_query"])
            assert asked, request.content
            rows = self._selected(asked)
        else:
            module = request.url.path.split("/")[-2]
            since = parse_instant(request.headers["if-modified-since"]) or 0
            rows = [
                {"id": name, "deleted_time": format_instant(at_ms), "type": "permanent"}
                for name, at_ms in self.deleted.get(module, [])
                if at_ms >= since
            ]
        return httpx2.Response(200, content=msgspec.json.encode({"data": rows})) if rows else httpx2.Response(204)

    def _selected(self, asked: re.Match[str]) -> list[dict[str, Any]]:
        since, until = parse_instant(asked["since"]) or 0, parse_instant(asked["until"]) or 0
        rows = [
            {field: row.get(field) for field in asked["fields"].split(", ")}
            for name, row in sorted(self.modules.get(asked["module"], {}).items())
            if since <= (parse_instant(row["Modified_Time"]) or 0) <= until and int(name) > int(asked["after"] or 0)
        ]
        return rows[: int(asked["limit"])]
