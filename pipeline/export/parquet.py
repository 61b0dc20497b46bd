"""Profiles as Parquet: the fields, names and units of the NDJSON, with its maps as lists of records.

The keys of maps depend on the rules files; with lists of records the schema does not. Fields that may hold any JSON
value (traits, campaigns) are JSON text.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any, Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import parquet

from pipeline.profile.aggregates import is_by_currency
from pipeline.profile.journey.credit import MODELS
from pipeline.query.members import COLUMNS

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
_VALUE: Final = _record(name=_TEXT, window=_TEXT, currency=_TEXT, part=_TEXT, number=_DOUBLE, text=_TEXT)
"""``part`` names one value of an aggregate with several, such as ``p50`` of quantiles or ``bounced`` of sessions."""
_AMOUNT: Final = _record(currency=_TEXT, amount_minor=_LONG)
_ITEM: Final = _record(id=_TEXT, name=_TEXT, quantity=_LONG, price_minor=_LONG, currency=_TEXT)
_CART: Final = _record(
    status=_TEXT, items=pa.list_(_ITEM), amounts_minor=pa.list_(_AMOUNT), since_ms=_LONG, updated_ms=_LONG, due_ms=_LONG
)
_MODELS: Final = _record(**dict.fromkeys(MODELS, _LONG))
_MARKETING: Final = _record(
    timestamp_ms=_LONG, event_id=_TEXT, channel=_TEXT, event=_TEXT, campaign=_TEXT, source=_TEXT, medium=_TEXT,
    click_id=_TEXT, referrer=_TEXT, credit=_MODELS, value_minor=_MODELS,
)  # fmt: skip
_CONVERSION: Final = _record(
    name=_TEXT,
    timestamp_ms=_LONG,
    event_id=_TEXT,
    value_minor=_LONG,
    currency=_TEXT,
    refunded_minor=_LONG,
    journey=pa.list_(_MARKETING),
)
SCHEMA: Final = pa.schema(
    {
        "profile_id": _TEXT,
        "tenant": _TEXT,
        "as_of_ms": _LONG,
        "merged_into": _TEXT,
        "anchors": pa.list_(_TEXT),
        "touches": _LONG,
        "first_touch": _TOUCH,
        "last_touch": _TOUCH,
        "identifiers": pa.list_(_record(identifier=_TEXT, first_seen_ms=_LONG, last_seen_ms=_LONG)),
        "traits": pa.list_(_record(name=_TEXT, value=_TEXT, timestamp_ms=_LONG, event_id=_TEXT, channel=_TEXT)),
        "accounts": pa.list_(_record(account=_TEXT, traits=_TEXT)),
        "consent": pa.list_(_record(purpose=_TEXT, granted=pa.bool_())),
        "consent_statements": pa.list_(_record(purpose=_TEXT, granted=pa.bool_(), timestamp_ms=_LONG, event_id=_TEXT)),
        "aggregates": pa.list_(_VALUE),
        "ratios": pa.list_(_VALUE),
        "cart": _CART,
        "attribution": pa.list_(_CONVERSION),
        "segments": pa.list_(_TEXT),
        "scores": pa.list_(_record(name=_TEXT, value=_DOUBLE, contributions=pa.list_(_CONTRIBUTION))),
        "grade": _TEXT,
        "predictions": _TEXT,
        "timeline": pa.list_(_ENTRY),
    }
)


def write_parquet(file: IO[bytes], views: Iterable[dict[str, Any]]) -> int:
    """Writes the views. Returns their number."""
    return _write(file, (row_of(view) for view in views), SCHEMA)


def write_members_parquet(file: IO[bytes], rows: Iterable[dict[str, Any]]) -> int:
    """Writes members of a segment, as :mod:`pipeline.query.members` yields them. Returns their number."""
    columns = {column: pa.list_(_TEXT) if column == "identifiers" else _TEXT for column in COLUMNS}
    return _write(file, iter(rows), pa.schema(columns))


def _write(file: IO[bytes], rows: Iterator[dict[str, Any]], schema: Any) -> int:
    """Writes the rows in groups, so that memory does not grow with their number. Returns their number."""
    count = 0
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(rows, ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema))
            count += len(group)
    return count


def row_of(view: dict[str, Any]) -> dict[str, Any]:
    """Returns a view as a row of ``SCHEMA``."""
    return {
        **view,
        "first_touch": _touch(view["first_touch"]),
        "last_touch": _touch(view["last_touch"]),
        "identifiers": [{"identifier": name, **span} for name, span in view["identifiers"].items()],
        "traits": [
            {**trait, "name": name, "value": _json_text(trait["value"])} for name, trait in view["traits"].items()
        ],
        "accounts": [{"account": name, "traits": _json_text(traits)} for name, traits in view["accounts"].items()],
        "consent": [{"purpose": purpose, "granted": granted} for purpose, granted in view["consent"].items()],
        "consent_statements": [{"purpose": p, **statement} for p, statement in view["consent_statements"].items()],
        "aggregates": list(_values(view["aggregates"])),
        "ratios": list(_values(view["ratios"])),
        "predictions": _json_text(view["predictions"]),
        "cart": {**view["cart"], "amounts_minor": _amounts(view["cart"]["amounts_minor"])},
    }


def _touch(point: dict[str, Any] | None) -> dict[str, Any] | None:
    if point is None or "campaign" not in point:
        return point
    return {**point, "campaign": _json_text(point["campaign"])}


def _values(named: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yields a row for each name, window, currency and part."""
    for name, windows in named.items():
        for window, value in windows.items():
            for currency, of_currency in value.items() if is_by_currency(value) else (("", value),):
                for part, part_value in of_currency.items() if isinstance(of_currency, dict) else (("", of_currency),):
                    yield {
                        "name": name,
                        "window": window,
                        "currency": currency,
                        "part": part,
                        **_number_or_text(part_value),
                    }


def _amounts(by_currency: dict[str, int]) -> list[dict[str, Any]]:
    return [{"currency": currency, "amount_minor": minor} for currency, minor in by_currency.items()]


def _number_or_text(value: Any) -> dict[str, Any]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"number": value if is_number else None, "text": None if is_number or value is None else _text(value)}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json_text(value)


def _json_text(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()
