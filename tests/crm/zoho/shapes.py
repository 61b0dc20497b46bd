"""The shapes of Zoho's answers."""

from typing import Any

import httpx2
import msgspec


def found(rows: list[Any]) -> Any:
    return {"data": rows, "info": {"more_records": False, "count": len(rows)}} if rows else None


def locked() -> dict[str, Any]:
    return {"status": "error", "code": "RECORD_LOCKED", "message": "the record is locked", "details": {}}


def as_text(value: Any) -> str:
    if isinstance(value, dict):
        return str(value["id"])
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> httpx2.Response:
    headers = {"content-type": "application/json;charset=UTF-8", **(headers or {})}
    return httpx2.Response(status, content=msgspec.json.encode(body), headers=headers)


def error(status: int, code: str, message: str) -> httpx2.Response:
    return answer(status, {"code": code, "message": message, "status": "error", "details": {}})
