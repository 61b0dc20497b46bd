"""Profiles as Parquet: the fields of the NDJSON under their names and in their units, their maps as lists of records.

Maps have other keys with every rules file; lists of records keep one schema for all of them. What can be any JSON
(traits, campaigns) is JSON text.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any, Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import parquet

from pipeline.serve.members import COLUMNS

ROWS_PER_GROUP: Final = 5_000


def _record(**fields: pa.DataType) -> pa.DataType:
    return pa.struct(list(fields.items()))


_TEXT, _LONG, _DOUBLE = pa.string(), pa.int64(), pa.float64()
_TOUCH: Final = _record(
    timestamp_ms=_LONG, event_id=_TEXT, channel=_TEXT, type=_TEXT, event=_TEXT, campaign=_TEXT, referrer=_TEXT
)
_CONTRIBUTION: Final = _record(rule=_TEXT, group=_TEXT, points=_DOUBLE, occurrences=_LONG)
_ENTRY: Final = _record(
    timestamp_ms=_LONG, event_id=_TEXT, channel=_TEXT, type=_TEXT, event=_TEXT, amount_minor=_LONG, currency=_TEXT,
    detail=_TEXT, summary=_TEXT,
)  # fmt: skip
SCHEMA: Final = pa.schema(
    {
        "profile_id": _TEXT,
        "tenant": _TEXT,
        "as_of_ms": _LONG,
        "merged_into": _TEXT,
        "leaves": pa.list_(_TEXT),
        "touches": _LONG,
        "first_touch": _TOUCH,
        "last_touch": _TOUCH,
        "identifiers": pa.list_(_record(identifier=_TEXT, first_seen_ms=_LONG, last_seen_ms=_LONG)),
        "traits": pa.list_(_record(name=_TEXT, value=_TEXT, timestamp_ms=_LONG, event_id=_TEXT, channel=_TEXT)),
        "consent": pa.list_(_record(purpose=_TEXT, granted=pa.bool_())),
        "aggregates": pa.list_(_record(name=_TEXT, window=_TEXT, currency=_TEXT, number=_DOUBLE, text=_TEXT)),
        "scores": pa.list_(_record(name=_TEXT, value=_DOUBLE, contributions=pa.list_(_CONTRIBUTION))),
        "timeline": pa.list_(_ENTRY),
    }
)


def write_parquet(file: IO[bytes], views: Iterable[dict[str, Any]]) -> int:
    """Write the views. How many."""
    return _write(file, (row_of(view) for view in views), SCHEMA)


def write_members_parquet(file: IO[bytes], found: Iterable[dict[str, Any]]) -> int:
    """Write members of a segment, as :mod:`pipeline.serve.members` has them. How many."""
    columns = {column: pa.list_(_TEXT) if column == "identifiers" else _TEXT for column in COLUMNS}
    return _write(file, iter(found), pa.schema(columns))


def _write(file: IO[bytes], rows: Iterator[dict[str, Any]], schema: Any) -> int:
    """In groups of rows, so that memory does not grow with their number."""
    count = 0
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(rows, ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema))
            count += len(group)
    return count


def row_of(view: dict[str, Any]) -> dict[str, Any]:
    """A view as a row of the schema."""
    return {
        **view,
        "first_touch": _touch(view["first_touch"]),
        "last_touch": _touch(view["last_touch"]),
        "identifiers": [{"identifier": name, **span} for name, span in view["identifiers"].items()],
        "traits": [
            {**trait, "name": name, "value": _json_text(trait["value"])} for name, trait in view["traits"].items()
        ],
        "consent": [{"purpose": purpose, "granted": granted} for purpose, granted in view["consent"].items()],
        "aggregates": list(_aggregates(view["aggregates"])),
    }


def _touch(point: dict[str, Any] | None) -> dict[str, Any] | None:
    if point is None or "campaign" not in point:
        return point
    return {**point, "campaign": _json_text(point["campaign"])}


def _aggregates(aggregates: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for name, windows in aggregates.items():
        for window, value in windows.items():
            by_currency = value if isinstance(value, dict) else {"": value}
            for currency, each in by_currency.items():
                is_number = isinstance(each, int | float) and not isinstance(each, bool)
                yield {
                    "name": name,
                    "window": window,
                    "currency": currency,
                    "number": each if is_number else None,
                    "text": None if is_number or each is None else _text(each),
                }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json_text(value)


def _json_text(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()
