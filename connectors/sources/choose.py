"""Which reader a file needs: by its first bytes and its name."""

from hashlib import blake2b
from pathlib import Path

from connectors.sources.avro import AVRO_MAGIC, AvroSource
from connectors.sources.delimited import CsvSource
from connectors.sources.lines import Opened
from connectors.sources.mapping import Mapping
from connectors.sources.ndjson import NdjsonSource
from connectors.sources.record import Source
from pipeline.errors import OperatorError

CSV_SUFFIXES = (".csv", ".tsv", ".txt")


class UnknownFormatError(OperatorError):
    """The file cannot be read as it is. Operator action: what the message says, most often a ``--mapping``."""


def source_for(path: Path, mapping: Mapping | None = None) -> Source:
    """A reader for the file: Avro by its magic, CSV with a mapping, NDJSON else; gzip is seen through.

    Raises:
        UnknownFormatError: a CSV file without a mapping.
        OSError: the file cannot be opened.
    """
    if _first_bytes(path, len(AVRO_MAGIC)) == AVRO_MAGIC:
        return AvroSource(path, mapping)
    if mapping is not None:
        return CsvSource(path, mapping)
    if path.name.lower().removesuffix(".gz").endswith(CSV_SUFFIXES):
        message = f"{path}: a table needs --mapping FILE, which says what its columns mean"
        raise UnknownFormatError(message)
    return NdjsonSource(path)


def derived_message_id(file_name: str, number: int, raw: bytes) -> str:
    """The message id of a record that brings none: the same record of the same file always gets the same one."""
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
