"""Where rejects are reported: a line for people, and an NDJSON file that holds the bytes."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from connectors.sources.record import Record
from pipeline.event.result import Rejected

SHOWN = 200
"""Rejects printed per run; a file of nothing but rejects must not drown the terminal. The NDJSON file has them all."""


class Rejects:
    """Reports rejects as ``file:line reason: detail``, and to ``path`` as NDJSON if there is one.

    A line of the file is ``{"file","line","reason","detail","raw"}``, with ``raw_base64`` in place of ``raw`` where the
    bytes are not UTF-8.
    """

    def __init__(self, say: Callable[[str], None], path: Path | None) -> None:
        self._print = say
        self._file: IO[bytes] | None = path.open("ab") if path else None
        self.count = 0

    def report(self, file: Path, record: Record, reject: Rejected) -> None:
        """Report one record; the bytes are the file's own, never shown on the terminal."""
        self.count += 1
        if self.count <= SHOWN:
            self._print(f"{file}:{record.number} {reject.reason}: {reject.detail}")
        elif self.count == SHOWN + 1:
            self._print(f"… more than {SHOWN} rejects; see all of them with --rejects FILE")
        if self._file:
            self._file.write(_line(file, record, reject))

    def flush(self) -> None:
        """Hand what was reported to the operating system: before the chunk commits."""
        if self._file:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()


def _line(file: Path, record: Record, reject: Rejected) -> bytes:
    line: dict[str, str | int] = {
        "file": str(file),
        "line": record.number,
        "reason": reject.reason.value,
        "detail": reject.detail,
    }
    try:
        line["raw"] = record.raw.decode()
    except UnicodeDecodeError:
        line["raw_base64"] = b64encode(record.raw).decode()
    return msgspec.json.encode(line) + b"\n"
