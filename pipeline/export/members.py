"""Writes the members of a segment to files for other tools: CSV, NDJSON or Parquet."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from pipeline.atomic_file import replacing
from pipeline.export.files import FORMATS, write_ndjson
from pipeline.query.members import COLUMNS

MEMBER_FORMATS: Final = {**FORMATS, ".csv": "csv"}
"""File name suffix to format."""


def write_members(path: Path, rows: Iterable[dict[str, Any]], file_format: str) -> int:
    """Writes the members in their order. Returns their number. Equal members give equal files, byte for byte.

    Raises:
        OSError: the file could not be written; a previous file is unchanged.
    """
    write = {"csv": _write_csv, "ndjson": write_ndjson, "parquet": _write_parquet}[file_format]
    with replacing(path) as file:
        return write(file, rows)


def _write_csv(file: IO[bytes], rows: Iterable[dict[str, Any]]) -> int:
    """Writes RFC 4180 in UTF-8, with a header line. Returns the number of members."""
    count = 0
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for count, member in enumerate(rows, start=1):  # noqa: B007 - the last one is the count
        table.writerow([_cell(member[column]) for column in COLUMNS])
    text.detach()
    return count


def _cell(value: Any) -> str:
    return msgspec.json.encode(value).decode() if isinstance(value, list) else value or ""


def _write_parquet(file: IO[bytes], rows: Iterable[dict[str, Any]]) -> int:
    from pipeline.export.parquet import write_members_parquet  # noqa: PLC0415 - importing Arrow is slow

    return write_members_parquet(file, rows)
