"""The record of the pages that showed personal data: the audit log of the API, read back for administrators."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from pipeline.clock import Clock
from pipeline.serve.access.audit import AuditLine, AuditLog

FILES: Final = "audit-*.jsonl"
MAX_BYTES: Final = 1 << 20
"""How much of the newest lines is searched for those of one tenant."""


class AuditData:
    """Writes and lists reads of personal data. Thread-safe. A page is sent only after its read is recorded."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._log, self._lock = folder, AuditLog(folder, clock), threading.Lock()

    def record(self, tenant: str, user: str, page: str, profile_ids: Sequence[str]) -> None:
        """Adds a read. Raises OSError if the disk refused it; the page must not be sent then."""
        with self._lock:
            self._log.record(f"user {user}", tenant, f"console {page}", profile_ids)

    def newest(self, tenant: str, limit: int) -> list[AuditLine]:
        """Returns the newest reads of keys and users of a tenant."""
        found = []
        for line in self._lines():
            if line.tenant == tenant:
                found.append(line)
                if len(found) == limit:
                    break
        return found

    def _lines(self) -> Iterator[AuditLine]:
        """Yields lines, newest first, from the ends of the newest files."""
        left = MAX_BYTES
        for path in sorted(self._folder.glob(FILES), reverse=True):
            with path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - left))
                text = file.read(left)
            lines = text.splitlines()
            for line in reversed(lines[1:] if size > left else lines):
                yield _DECODE(line)
            left -= len(text)
            if left <= 0:
                return


_DECODE: Final = msgspec.json.Decoder(AuditLine).decode
