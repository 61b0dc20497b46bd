"""Writes profiles to files: NDJSON or Parquet, completely or not at all."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from pipeline.atomic_file import replacing
from pipeline.errors import MisuseError

_SORTED: Final = msgspec.json.Encoder(order="deterministic")
FORMATS: Final = {".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet"}
"""File name suffix to format."""


class UnknownFormatError(MisuseError, ValueError):
    """The file name has no known suffix. Operator action: use one that the message lists, or pass ``--format``."""


def format_of(path: Path, formats: Mapping[str, str] = FORMATS) -> str:
    """Returns the format that ``formats`` gives for the path's suffix.

    Raises:
        UnknownFormatError: ``formats`` does not contain the suffix.
    """
    file_format = formats.get(path.suffix.lower())
    if file_format is None:
        message = f"{path.name}: end the name in {', '.join(formats)}, or pass --format"
        raise UnknownFormatError(message)
    return file_format


def write_profiles(path: Path, views: Iterable[dict[str, Any]], file_format: str, step: Callable[[], None]) -> int:
    """Writes the views in their order, calling ``step`` after each. Returns their number.

    Equal views give equal files, byte for byte.

    Raises:
        OSError: the file could not be written; a previous file is unchanged.
    """
    with replacing(path) as file:
        if file_format == "ndjson":
            return write_ndjson(file, _stepping(views, step))
        from pipeline.export.parquet import write_parquet  # noqa: PLC0415 - importing Arrow is slow

        return write_parquet(file, _stepping(views, step))


def write_ndjson(file: IO[bytes], views: Iterable[dict[str, Any]]) -> int:
    """Writes one line per view and returns their number. Fields keep their order; the keys inside them are sorted."""
    count = 0
    for count, view in enumerate(views, start=1):  # noqa: B007 - the last one is the count
        file.write(json_line(view))
    return count


def json_line(view: dict[str, Any]) -> bytes:
    """Returns a view as a line of JSON, with the line feed."""
    return msgspec.json.encode({name: msgspec.Raw(_SORTED.encode(value)) for name, value in view.items()}) + b"\n"


def _stepping(views: Iterable[dict[str, Any]], step: Callable[[], None]) -> Iterator[dict[str, Any]]:
    for view in views:
        yield view
        step()
