"""How far a command is: bars on a terminal's stderr, nothing where the output goes elsewhere."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.cli.screen import screen


class Bars:
    """One bar per step; they vanish when the command has something to print."""

    def __init__(self) -> None:
        console = screen(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def reading(self, description: str) -> Callable[[int, int], None]:
        """A bar that takes (done, all); ``all`` may change with every call."""
        task = self._bars.add_task(description, total=None)
        return lambda done, total: self._bars.update(task, completed=done, total=total)

    def counting(self, description: str, total: int | None) -> Callable[[], None]:
        """A bar that is advanced once per step."""
        task = self._bars.add_task(description, total=total)
        return lambda: self._bars.advance(task)
