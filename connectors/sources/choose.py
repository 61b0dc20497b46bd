"""Chooses the reader of a file by its first bytes and its name."""

from hashlib import blake2b
from pathlib import Path
from typing import Final

from connectors.sources.arrow import ARROW_MAGIC, PARQUET_MAGIC, ArrowSource
from connectors.sources.avro import AVRO_MAGIC, AvroSource
from connectors.sources.delimited import CsvSource
from connectors.sources.lines import Opened
from connectors.sources.mapping import Mapping
from connectors.sources.ndjson import NdjsonSource
from connectors.sources.record import Source
from pipeline.errors import OperatorError

FIRST_BYTES: Final = 64
_UTF_16: Final = "text in UTF-16, as spreadsheets save it: save it as UTF-8, or run: iconv -f UTF-16 -t UTF-8"
_FOREIGN: Final = {
    b"\xff\xfe": _UTF_16,
    b"\xfe\xff": _UTF_16,
    b"PK\x03\x04": "a ZIP archive, such as an Excel workbook: unpack it, or save the sheet as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV in UTF-8",
    b"\x28\xb5\x2f\xfd": "packed by zstd: unpack it, or pack it by gzip",
    b"BZh": "packed by bzip2: unpack it, or pack it by gzip",
    b"\xfd7zXZ\x00": "packed by xz: unpack it, or pack it by gzip",
    b"%PDF": "a PDF: export the data as CSV or NDJSON",
    b"SQLite format 3": "an SQLite database: export the table as CSV or NDJSON",
    b"ORC": "an ORC file: write it as Parquet",
    b"\xff\xff\xff\xff": "an Arrow stream: write it as an Arrow file (Feather) or as Parquet",
    b"<": "XML or HTML: export the data as CSV or NDJSON",
}
"""First bytes of an unsupported file → its format, and what to do."""
CSV_SUFFIXES = (".csv", ".tsv", ".txt")


class UnknownFormatError(OperatorError):
    """The file cannot be read as it is. Operator action: follow the message; often a ``--mapping`` is missing."""


def source_for(path: Path, mapping: Mapping | None = None) -> Source:
    """Returns the reader of a file: Avro, Parquet or Arrow by magic bytes, CSV with a mapping, otherwise NDJSON.

    Any file may be gzipped, except Parquet and Arrow, which have their own compression.

    Raises:
        UnknownFormatError: The file is a CSV without a mapping, or has a format that cannot be read.
        OSError: The file cannot be opened.
    """
    first = _first_bytes(path, FIRST_BYTES)
    if first.startswith(AVRO_MAGIC):
        return AvroSource(path, mapping)
    if first.startswith((PARQUET_MAGIC, ARROW_MAGIC)):
        return ArrowSource(path, mapping)
    if what := _foreign(first):
        message = f"{path}: {what}"
        raise UnknownFormatError(message)
    if mapping is not None:
        return CsvSource(path, mapping)
    if path.name.lower().removesuffix(".gz").endswith(CSV_SUFFIXES):
        message = f"{path}: a table needs --mapping FILE, which says what its columns mean"
        raise UnknownFormatError(message)
    return NdjsonSource(path)


def _foreign(first: bytes) -> str:
    """Returns the format of an unsupported file with what to do, or "" if the file may be text."""
    for magic, what in _FOREIGN.items():
        if first.startswith(magic):
            return what
    if b"\0" in first[1:2] + first[3:4] or b"\0" in first[:1] + first[2:3]:
        return _UTF_16
    return "a binary file of no known format" if b"\0" in first else ""


def derived_message_id(file_name: str, number: int, raw: bytes) -> str:
    """Returns a message id for a record without one. The same record of the same file always has the same id."""
    digest = blake2b(b"%s\0%d\0" % (file_name.encode(), number), digest_size=16)
    digest.update(raw)
    return digest.hexdigest()


def _first_bytes(path: Path, count: int) -> bytes:
    opened = Opened(path)
    try:
        return opened.stream.read(count)
    except (EOFError, OSError):
        return b""
    finally:
        opened.close()
