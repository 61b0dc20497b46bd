"""A mapping: the event field that each column of a table becomes."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any, Literal, Self
from unicodedata import normalize
from zoneinfo import ZoneInfo

import msgspec

from connectors.sources.record import Payload
from pipeline.errors import OperatorError
from pipeline.event.event_time import write_time
from pipeline.event.number_text import MAX_CHARS, read_number, read_with
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected

Kind = Literal["text", "integer", "number", "money", "boolean", "json"]
Point = Literal[".", ","]


class MappingError(OperatorError):
    """The mapping file is wrong. Operator action: make the correction that the message names, at the line it names."""


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The event field that a column becomes. ``to`` is a field path (``properties.total``), ``as`` the JSON type.

    ``money`` is a number in one of the properties listed in ``amount_fields`` of the rules.
    """

    to: str
    kind: Kind = msgspec.field(default="text", name="as")


class Timestamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The column with the event time.

    ``format`` is ``iso`` (ISO 8601), ``epoch_seconds``, ``epoch_ms``, ``epoch_us`` or a strptime pattern; times without
    an offset are in ``timezone``.
    """

    column: str
    format: str = "iso"
    timezone: str = "UTC"


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Maps columns and constants to an event. Omits empty cells and ignores columns it does not name."""

    timestamp: Timestamp
    identifiers: dict[str, str | list[str]]
    """Identifier type → column, or at least two columns that identify a customer together (name and date of birth)."""
    columns: dict[str, str | Target] = {}
    """Column → field path, or path and JSON type."""
    constants: dict[str, str | int | float | bool] = {}
    """Field path → the same value for every row: ``channel``, ``type``, ``event``, ``source``, …"""
    message_id: str = ""
    """Column that is unique per row. Empty: the id is derived from file, line and content."""
    names: list[str] = []
    """Column names of a file that has no header line."""
    delimiter: str = ","
    """One character, or ``whitespace`` for any run of spaces and tabs."""
    decimal: Point | None = None
    """The decimal sign of numbers and money, ``.`` or ``,``. The other sign, blanks and apostrophes may group
    thousands. Without it, ambiguous numbers such as ``1,299`` are rejected."""

    def payload(self, row: dict[str, Any]) -> Payload | Rejected:
        """Returns the event of one row, or a ``Rejected`` that names the first invalid cell."""
        payload: Payload = {}
        for path, value in self.constants.items():
            _put(payload, path, value)
        try:
            for column, target in self.columns.items():
                if (cell := row.get(column)) not in (None, ""):
                    to, kind = (target, "text") if isinstance(target, str) else (target.to, target.kind)
                    _put(payload, to, _convert(column, cell, kind, self.decimal))
            payload["timestamp"] = write_time(_milliseconds(row.get(self.timestamp.column), self.timestamp))
        except _BadCellError as bad:
            return Rejected(Reason.INVALID_FIELD, str(bad))
        values = {kind: _identifier(row, columns) for kind, columns in self.identifiers.items()}
        payload["identifiers"] = {kind: value for kind, value in values.items() if value}
        if self.message_id and row.get(self.message_id) not in (None, ""):
            payload["messageId"] = str(row[self.message_id])
        return payload

    def with_money(self, amount_fields: Iterable[str]) -> Self:
        """Returns the mapping with text columns read as money if they go to an amount field and ``decimal`` is set."""
        if self.decimal is None:
            return self
        money = {f"properties.{name}" for name in amount_fields}
        columns = {
            column: Target(target, "money") if isinstance(target, str) and target in money else target
            for column, target in self.columns.items()
        }
        return msgspec.structs.replace(self, columns=columns)

    def wanted(self) -> set[str]:
        """Returns every column that the mapping reads."""
        keys = {name for columns in self.identifiers.values() for name in _listed(columns)}
        return {*self.columns, *keys, self.timestamp.column, self.message_id} - {""}


class _BadCellError(Exception):
    """A cell is invalid. The text names column and expected form, not the value, which may be personal data."""


def _listed(columns: str | list[str]) -> list[str]:
    return [columns] if isinstance(columns, str) else columns


def _identifier(row: dict[str, Any], columns: str | list[str]) -> str:
    """Returns the value of an identifier; "" if a column it is made of is empty.

    A value of several columns is their texts joined with ``|``, regardless of case, accents' form and spacing. Signs of
    the texts that could be taken for the separator are escaped, so that different cells never make one value.
    """
    cells = [row.get(column) for column in _listed(columns)]
    if isinstance(columns, str):
        return "" if cells[0] is None else str(cells[0])
    texts = [" ".join(normalize("NFKC", "" if cell is None else str(cell)).casefold().split()) for cell in cells]
    return "|".join(text.replace("\\", "\\\\").replace("|", "\\|") for text in texts) if all(texts) else ""


def _put(payload: Payload, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        child = payload.get(name)
        if not isinstance(child, dict):
            child = payload[name] = {}
        payload = child
    payload[last] = value


def _convert(column: str, cell: Any, kind: str, point: Point | None) -> Any:
    if kind == "text":
        return cell if not isinstance(cell, (int, float)) else str(cell)
    text = cell if isinstance(cell, str) else str(cell)
    try:
        if kind in {"number", "money"}:
            return _number(text, point if isinstance(cell, str) else None)
        return _CONVERTERS[kind](text)
    except (ValueError, KeyError):
        message = f"column {column}: not {_EXPECTED[kind]}"
        raise _BadCellError(message) from None


def _number(text: str, point: Point | None) -> int | float:
    result = read_number(text) if point is None else read_with(text, point)
    if result is None:
        raise ValueError(text)
    return int(result) if result == result.to_integral_value() and result.adjusted() < MAX_CHARS else float(result)


_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_CONVERTERS: dict[str, Callable[[str], Any]] = {
    "integer": int,
    "boolean": lambda text: _TRUTH[text.strip().lower()],
    "json": msgspec.json.decode,
}
_EXPECTED = {
    "integer": "a whole number",
    "number": "a number, or one of two readings: give the mapping its decimal sign",
    "money": "an amount, or one of two readings: give the mapping its decimal sign",
    "boolean": "one of true, false, yes, no, 1, 0",
    "json": "JSON",
}


def _milliseconds(cell: Any, rule: Timestamp) -> int:
    """Returns the epoch milliseconds of a cell. Finer fractions are cut off."""
    try:
        if rule.format == "epoch_ms":
            return int(cell)
        if rule.format == "epoch_seconds":
            return int(Decimal(str(cell)) * 1000)
        if rule.format == "epoch_us":
            return int(Decimal(str(cell)) // 1000)
        text = str(cell).strip()
        return _epoch_ms(_parsed(text, rule.format), ZoneInfo(rule.timezone))
    except (ValueError, TypeError, OverflowError, ArithmeticError):
        expected = {
            "iso": "ISO 8601",
            "epoch_seconds": "seconds",
            "epoch_ms": "milliseconds",
            "epoch_us": "microseconds",
        }
        message = f"column {rule.column}: not a time as {expected.get(rule.format, rule.format)}"
        raise _BadCellError(message) from None


def _parsed(text: str, pattern: str) -> datetime:
    if pattern == "iso":
        return datetime.fromisoformat(text)
    return datetime.strptime(text, pattern)  # noqa: DTZ007 - the caller puts the zone on


def _epoch_ms(when: datetime, zone: tzinfo) -> int:
    aware = when if when.tzinfo else when.replace(tzinfo=zone)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
