"""Profiles into files: NDJSON or Parquet, whole or not at all."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from pipeline.atomic_file import replacing
from pipeline.errors import MisuseError

_SORTED: Final = msgspec.json.Encoder(order="deterministic")
FORMATS: Final = {".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet"}
"""Suffix to format."""


class UnknownFormatError(MisuseError, ValueError):
    """Operator action: name a file with one of the endings that the message lists, or say ``--format``."""


def format_of(path: Path, formats: Mapping[str, str] = FORMATS) -> str:
    """``ndjson`` or ``parquet``, or what other ``formats`` there are, by the suffix.

    Raises:
        UnknownFormatError: the suffix is that of none.
    """
    file_format = formats.get(path.suffix.lower())
    if file_format is None:
        message = f"{path.name}: end the name in {', '.join(formats)}, or say --format"
        raise UnknownFormatError(message)
    return file_format


def write_profiles(path: Path, views: Iterable[dict[str, Any]], file_format: str, step: Callable[[], None]) -> int:
    """Write the views in their order; ``step`` after each. How many. Equal views make equal files, byte for byte.

    Raises:
        OSError: the file could not be written; what stood there before still does.
    """
    with replacing(path) as file:
        if file_format == "ndjson":
            return write_ndjson(file, _stepping(views, step))
        from pipeline.export.parquet import write_parquet  # noqa: PLC0415 - only who wants Arrow waits for its import

        return write_parquet(file, _stepping(views, step))


def write_ndjson(file: IO[bytes], views: Iterable[dict[str, Any]]) -> int:
    """A line each: the view's fields in their order, the keys within them sorted. How many lines."""
    count = 0
    for count, view in enumerate(views, start=1):  # noqa: B007 - the last one is the count
        file.write(json_line(view))
    return count


def json_line(view: dict[str, Any]) -> bytes:
    """A view as JSON, with its line feed."""
    return msgspec.json.encode({name: msgspec.Raw(_SORTED.encode(value)) for name, value in view.items()}) + b"\n"


def _stepping(views: Iterable[dict[str, Any]], step: Callable[[], None]) -> Iterator[dict[str, Any]]:
    for view in views:
        yield view
        step()
