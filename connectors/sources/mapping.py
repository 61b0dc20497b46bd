"""A mapping file: which column of a table becomes which field of an event."""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from connectors.sources.record import Payload
from pipeline.errors import OperatorError
from pipeline.event.event_time import write_time
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected

Kind = Literal["text", "integer", "number", "boolean", "json"]


class MappingError(OperatorError):
    """The mapping file is wrong. Operator action: write what the message says at the place it names."""


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a column goes. ``to`` is a field path (``properties.total``); ``as`` is the JSON type it becomes."""

    to: str
    kind: Kind = msgspec.field(default="text", name="as")


class Timestamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The column that says when.

    ``format`` is ``iso`` (ISO 8601), ``epoch_s``, ``epoch_ms`` or a strptime pattern; times without an offset are
    in ``timezone``.
    """

    column: str
    format: str = "iso"
    timezone: str = "UTC"


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Columns and constants to an event. Empty cells are left out, columns that are not named are ignored."""

    timestamp: Timestamp
    identifiers: dict[str, str]
    """Identifier type → the column with its value."""
    columns: dict[str, str | Target] = {}
    """Column → field path, or path and JSON type."""
    constants: dict[str, Any] = {}
    """Field path → the same value for every row: ``channel``, ``type``, ``event``, ``source``, …"""
    message_id: str = ""
    """Column that is unique per row of the source; empty: an id is made of file, line and content."""
    names: list[str] = []
    """Column names of a file that has no header line."""
    delimiter: str = ","
    """One character, or ``whitespace`` for any run of spaces and tabs."""

    def payload(self, row: dict[str, Any]) -> Payload | Rejected:
        """The event of one row, or the first cell that does not fit."""
        found: Payload = {}
        for path, value in self.constants.items():
            _put(found, path, value)
        try:
            for column, target in self.columns.items():
                if (cell := row.get(column)) not in (None, ""):
                    to, kind = (target, "text") if isinstance(target, str) else (target.to, target.kind)
                    _put(found, to, _convert(column, cell, kind))
            found["timestamp"] = write_time(_milliseconds(row.get(self.timestamp.column), self.timestamp))
        except _BadCellError as bad:
            return Rejected(Reason.INVALID_FIELD, str(bad))
        found["identifiers"] = {
            kind: str(row[column]) for kind, column in self.identifiers.items() if row.get(column) not in (None, "")
        }
        if self.message_id and row.get(self.message_id) not in (None, ""):
            found["messageId"] = str(row[self.message_id])
        return found

    def wanted(self) -> set[str]:
        """Every column the mapping reads."""
        named = {*self.columns, *self.identifiers.values(), self.timestamp.column, self.message_id}
        return named - {""}


def load_mapping(path: Path) -> Mapping:
    """Read and check a mapping file.

    Raises:
        MappingError: with the file, the place, and what to write instead.
        OSError: the file cannot be read.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        mapping = msgspec.convert(document, Mapping)
        ZoneInfo(mapping.timestamp.timezone)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        message = f"{path}:{line}: not YAML: {error.problem}"
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"{path}:1: not YAML: {error}"
    except msgspec.ValidationError as error:
        message = f"{path}: {error} (see `stitchline ingest --help` for an example)"
    except (ZoneInfoNotFoundError, ValueError):
        message = f"{path}: timestamp.timezone: write an IANA name such as Europe/Berlin"
    else:
        if mapping.delimiter != "whitespace" and len(mapping.delimiter) != 1:
            message = f"{path}: delimiter: write one character, or whitespace"
            raise MappingError(message)
        return mapping
    raise MappingError(message)


class _BadCellError(Exception):
    """A cell does not fit; the text names column and expectation, not the value, which may be personal."""


def _put(payload: Payload, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        child = payload.get(name)
        if not isinstance(child, dict):
            child = payload[name] = {}
        payload = child
    payload[last] = value


def _convert(column: str, cell: Any, kind: str) -> Any:
    if kind == "text":
        return cell if not isinstance(cell, (int, float)) else str(cell)
    try:
        return _CONVERTERS[kind](cell if isinstance(cell, str) else str(cell))
    except (ValueError, KeyError):
        message = f"column {column}: not {_EXPECTED[kind]}"
        raise _BadCellError(message) from None


def _number(text: str) -> int | float:
    value = msgspec.json.decode(text.strip().lstrip("+"))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(text)  # noqa: TRY004 - a cell's content, not a caller's mistake
    return value


_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_CONVERTERS: dict[str, Callable[[str], Any]] = {
    "integer": int,
    "number": _number,
    "boolean": lambda text: _TRUTH[text.strip().lower()],
    "json": msgspec.json.decode,
}
_EXPECTED = {
    "integer": "a whole number",
    "number": "a number with a decimal point",
    "boolean": "one of true, false, yes, no, 1, 0",
    "json": "JSON",
}


def _milliseconds(cell: Any, rule: Timestamp) -> int:
    """Epoch milliseconds of a cell. Seconds may carry a fraction; it is cut to milliseconds."""
    try:
        if rule.format == "epoch_ms":
            return int(cell)
        if rule.format == "epoch_s":
            return int(float(cell) * 1000)
        text = str(cell).strip()
        return _epoch_ms(_parsed(text, rule.format), ZoneInfo(rule.timezone))
    except (ValueError, TypeError, OverflowError):
        expected = {"iso": "ISO 8601", "epoch_s": "seconds", "epoch_ms": "milliseconds"}
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
