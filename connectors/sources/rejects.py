"""Reports rejects: one line each for people, and an NDJSON file that holds the bytes."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from connectors.sources.record import Record
from pipeline.event.result import Rejected

SHOWN = 200
"""Rejects printed per run, so that a bad file does not flood the terminal. The NDJSON file holds all of them."""


class Rejects:
    """Reports rejects as ``file:line reason: detail``, and to ``path`` as NDJSON if there is one.

    A line of the file is ``{"file","line","reason","detail","raw"}``, with ``raw_base64`` in place of ``raw`` where the
    bytes are not UTF-8. ``print_line`` prints a line.
    """

    def __init__(self, print_line: Callable[[str], None], path: Path | None) -> None:
        self._print = print_line
        self._file: IO[bytes] | None = path.open("ab") if path else None
        self.count = 0

    def report(self, file: Path, record: Record, reject: Rejected) -> None:
        """Reports one record. Never prints its bytes, which may hold personal data."""
        self.count += 1
        if self.count <= SHOWN:
            self._print(f"{file}:{record.number} {reject.reason}: {reject.detail}")
        elif self.count == SHOWN + 1:
            self._print(f"… more than {SHOWN} rejects; see all of them with --rejects FILE")
        if self._file:
            self._file.write(_line(file, record, reject))

    def flush(self) -> None:
        """Flushes the file to the operating system. Called before each chunk commits."""
        if self._file:
            self._file.flush()

    def close(self) -> None:
        """Closes the file."""
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
