"""Download progress: a bar on a terminal, otherwise a line per quarter."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

Advance = Callable[[int], None]
QUARTERS = 4
MEGABYTE = 1_000_000


@contextmanager
def download_progress(title: str, total_bytes: int, stream: TextIO | None = None) -> Iterator[Advance]:
    """Yields a function to call with the bytes of each chunk, from any thread. Writes to standard error by default."""
    out = stream or sys.stderr
    console = Console(file=out)
    if not console.is_terminal:
        yield _Lines(title, total_bytes, out).advance
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=total_bytes)
        yield lambda count: progress.advance(task, count)


class _Lines:
    """Progress as plain lines, few enough for a CI log."""

    def __init__(self, title: str, total_bytes: int, out: TextIO) -> None:
        self._title, self._total, self._out = title, total_bytes, out
        self._done = 0
        self._quarters = 0
        self._lock = threading.Lock()
        print(f"{title}: {total_bytes / MEGABYTE:.0f} MB to fetch, once", file=out, flush=True)

    def advance(self, count: int) -> None:
        with self._lock:
            self._done += count
            quarters = self._done * QUARTERS // self._total
            if quarters > self._quarters:
                self._quarters = quarters
                share = quarters * 100 // QUARTERS
                print(f"{self._title}: {share} %, {self._done / MEGABYTE:.0f} MB", file=self._out, flush=True)
