"""Members of a segment into files for other tools: CSV, NDJSON or Parquet."""

import csv
import io
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from pipeline.atomic_file import replacing
from pipeline.export.files import FORMATS, write_ndjson
from pipeline.query.members import COLUMNS

MEMBER_FORMATS: Final = {**FORMATS, ".csv": "csv"}
"""Suffix to format."""
_FORMULA: Final = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""How a cell begins that a spreadsheet computes instead of showing it; the last four are full-width forms."""
_TELEPHONE: Final = re.compile(r"\+[0-9][0-9 ]*")
"""Begins with a plus sign, and can compute to nothing but itself."""


def write_members(path: Path, rows: Iterable[dict[str, Any]], file_format: str, *, safe: bool = True) -> int:
    """Write members in their order; how many. Equal members make equal files, byte for byte.

    With ``safe``, a cell of a CSV file that a spreadsheet would take for a formula gets an apostrophe in front, which
    spreadsheets read as "text". Telephone numbers of digits and spaces are left as they are. Other formats hold values.

    Raises:
        OSError: the file could not be written; what stood there before still does.
    """
    write: dict[str, Callable[[IO[bytes], Iterable[dict[str, Any]]], int]] = {
        "csv": partial(_write_csv, cell_of=_safe_cell if safe else _cell),
        "ndjson": write_ndjson,
        "parquet": _write_parquet,
    }
    with replacing(path) as file:
        return write[file_format](file, rows)


def _write_csv(file: IO[bytes], rows: Iterable[dict[str, Any]], cell_of: Callable[[Any], str]) -> int:
    """RFC 4180, UTF-8, with a header."""
    count = 0
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for count, member in enumerate(rows, start=1):  # noqa: B007 - the last one is the count
        table.writerow([cell_of(member[column]) for column in COLUMNS])
    text.detach()
    return count


def _cell(value: Any) -> str:
    return msgspec.json.encode(value).decode() if isinstance(value, list) else value or ""


def _safe_cell(value: Any) -> str:
    cell = _cell(value)
    return f"'{cell}" if _FORMULA.match(cell) and not _TELEPHONE.fullmatch(cell) else cell


def _write_parquet(file: IO[bytes], rows: Iterable[dict[str, Any]]) -> int:
    from pipeline.export.parquet import write_members_parquet  # noqa: PLC0415 - only who wants Arrow waits for its import

    return write_members_parquet(file, rows)
