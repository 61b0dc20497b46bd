"""The audit log: one JSON line for each answer with unmasked personal data and each change, in one file a day.

A line is written before its answer or change is sent, with one ``write`` to a file opened for appending: lines of
several processes do not mix, and a killed process loses none. Lines hold ids of profiles, never personal data.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from pipeline.clock import Clock, wall_clock_ms
from pipeline.event.duration import DAY_MS
from pipeline.event.instant import format_instant

MAX_IDS: Final = 100
"""Ids of profiles in one line; ``profiles`` has their number."""


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One answer."""

    at: str
    actor: str
    """The name and id of the key, or the user of the console."""
    tenant: str
    action: str
    """The route or the tool."""
    profile_ids: list[str]
    profiles: int


class AuditLog:
    """Appends to the files of a folder. ``close`` it when done."""

    def __init__(self, folder: Path, clock: Clock = wall_clock_ms) -> None:
        self._folder, self._clock = folder, clock
        self._day, self._file = -1, -1

    def record(self, actor: str, tenant: str, action: str, profile_ids: Sequence[str]) -> None:
        """Appends a line.

        Raises:
            OSError: the disk refused the line; the answer must not be sent.
        """
        now_ms = self._clock()
        line = AuditLine(
            at=format_instant(now_ms) or "",
            actor=actor,
            tenant=tenant,
            action=action,
            profile_ids=list(profile_ids[:MAX_IDS]),
            profiles=len(profile_ids),
        )
        os.write(self._opened(now_ms // DAY_MS), msgspec.json.encode(line) + b"\n")

    def close(self) -> None:
        """Closes the file."""
        if self._file >= 0:
            os.close(self._file)
        self._day, self._file = -1, -1

    def _opened(self, day: int) -> int:
        if day != self._day:
            self.close()
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            name = f"audit-{(format_instant(day * DAY_MS) or '')[:10]}.jsonl"
            self._file = os.open(self._folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._day = day
        return self._file
