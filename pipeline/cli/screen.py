"""The consoles of all commands: nothing that a customer sent steers the terminal, nothing is cut where none reads."""

from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console
from rich.segment import Segment

from pipeline.printable import printable_lines

UNBROKEN_COLUMNS: Final = 100_000
"""Width where the output goes to a file or a pipe: keys are neither folded nor cut, however many columns there are."""


def screen(*, stderr: bool = False, markup: bool = True) -> Console:
    """A console for standard output or standard error."""
    console = _EscapingConsole(stderr=stderr, markup=markup, highlight=False)
    if not console.file.isatty():
        console.width = UNBROKEN_COLUMNS
    return console


class _EscapingConsole(Console):
    """Escapes what reaches it raw. Values are escaped before, so that columns fit: this holds where one was missed."""

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        """The segments of a renderable, with control characters other than line feeds escaped in their texts."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield segment._replace(text=printable_lines(segment.text))
