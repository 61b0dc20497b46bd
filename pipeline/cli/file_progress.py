"""How far a file is: a bar on a terminal, a line every few seconds where the output goes elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from pipeline.cli.screen import screen
from pipeline.printable import printable

LINE_SECONDS = 5.0


class FileProgress:
    """Progress on stderr, in bytes of the file as stored; messages go above the bar."""

    def __init__(self) -> None:
        self._console = screen(stderr=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._name, self._size_bytes, self._printed_at = "", 0, time.monotonic()
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
                TimeRemainingColumn(), TextColumn("{task.fields[counts]}"), console=self._console,
            )  # fmt: skip

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar standing at where it came to."""
        if self._bar:
            self._bar.stop()

    def begin(self, name: str, size_bytes: int) -> None:
        """The next file."""
        self._name, self._size_bytes = name, size_bytes
        if self._bar:
            self._task = self._bar.add_task(name, total=size_bytes, counts="")

    def show(self, read_bytes: int, delivered: int, rejected: int) -> None:
        """How far the file is."""
        counts = f"{delivered} delivered" + (f", {rejected} rejected" if rejected else "")
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=read_bytes, counts=counts)
        elif time.monotonic() - self._printed_at >= LINE_SECONDS:
            self._printed_at = time.monotonic()
            share = 100 * read_bytes // self._size_bytes if self._size_bytes else 100
            self.say(f"{self._name}: {share} %, {counts}")

    def say(self, text: str) -> None:
        """One line, as it is."""
        self._console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
