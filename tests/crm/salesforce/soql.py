"""The part of SOQL that the sink and the witness use, evaluated on rows."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_QUERY = re.compile(r"SELECT (?P<columns>.+?) FROM (?P<table>\w+)(?: WHERE (?P<where>.+?))?(?: LIMIT (?P<limit>\d+))?$")
_LIST = re.compile(r"(\w+) IN \((.*)\)")
_COMPARED = re.compile(r"(\w+) (=|LIKE) (.+)")


class Query:
    """A parsed query."""

    def __init__(self, text: str) -> None:
        match = _QUERY.fullmatch(" ".join(text.split()))
        assert match, text
        self.table = match["table"]
        self.columns = [name.strip() for name in match["columns"].split(",")]
        self._tests = [_test(part) for part in (match["where"] or "").split(" AND ") if part]
        self._limit = int(match["limit"] or 2000)
        self.names = {*self.columns, *(name for name, _ in self._tests)}

    def rows(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The columns of the rows for which every condition holds."""
        chosen = [row for row in rows if all(test(row.get(name)) for name, test in self._tests)]
        return [{name: row.get(name) for name in self.columns} for row in chosen[: self._limit]]


def _test(part: str) -> tuple[str, Callable[[Any], bool]]:
    if match := _LIST.fullmatch(part):
        values = {_value(one) for one in match[2].split(", ")}
        return match[1], lambda value: value in values
    match = _COMPARED.fullmatch(part)
    assert match, part
    wanted = _value(match[3])
    if match[2] == "LIKE":
        prefix = str(wanted).replace("\\_", "_").rstrip("%")
        return match[1], lambda value: str(value or "").startswith(prefix)
    return match[1], lambda value: value == wanted


def _value(text: str) -> Any:
    return {"true": True, "false": False}[text] if text in {"true", "false"} else text.strip("'")
