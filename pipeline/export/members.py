"""Writes the members of a segment to files for other tools: CSV, NDJSON or Parquet."""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from pipeline.atomic_file import replacing
from pipeline.export.files import FORMATS, write_ndjson
from pipeline.query.members import COLUMNS

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the start of a formula."""
_NUMBER: Final = re.compile(r"[+-][0-9][0-9 .,]*")
MEMBER_FORMATS: Final = {**FORMATS, ".csv": "csv"}
"""File name suffix to format."""


def write_members(path: Path, rows: Iterable[dict[str, Any]], file_format: str, *, safe: bool = True) -> int:
    """Writes the members in their order. Returns their number. Equal members give equal files, byte for byte.

    ``safe``: in CSV, a value that a spreadsheet would take for a formula gets an apostrophe before it.

    Raises:
        OSError: the file could not be written; a previous file is unchanged.
    """
    with replacing(path) as file:
        if file_format == "csv":
            return _write_csv(file, rows, safe=safe)
        return {"ndjson": write_ndjson, "parquet": _write_parquet}[file_format](file, rows)


def _write_csv(file: IO[bytes], rows: Iterable[dict[str, Any]], *, safe: bool) -> int:
    """Writes RFC 4180 in UTF-8, with a header line. Returns the number of members."""
    count = 0
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for count, member in enumerate(rows, start=1):  # noqa: B007 - the last one is the count
        cells = [_cell(member[column]) for column in COLUMNS]
        table.writerow(map(_neutral, cells) if safe else cells)
    text.detach()
    return count


def _cell(value: Any) -> str:
    return msgspec.json.encode(value).decode() if isinstance(value, list) else value or ""


def _neutral(cell: str) -> str:
    """A cell that no spreadsheet evaluates. Numbers and telephone numbers stay as they are."""
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell


def _write_parquet(file: IO[bytes], rows: Iterable[dict[str, Any]]) -> int:
    from pipeline.export.parquet import write_members_parquet  # noqa: PLC0415 - importing Arrow is slow

    return write_members_parquet(file, rows)
