"""Python functions generated from rules: text, and the objects that the text refers to.

Rules are fixed from the start of a process, while events come by the million. A generated function contains the steps
that its rules need and no others, without a loop over rules and without a call per rule::

    source = Source()
    source.add("def double(number):")
    with source.block():
        source.add("return number + number")
    source.compiled()["double"](2) == 4

Text from rules enters the source only as literals, by ``repr``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INDENT = "    "


class Source:
    """The text of functions in the making."""

    def __init__(self, **known: Any) -> None:
        """``known``: objects that the text refers to, by name."""
        self._known: dict[str, Any] = dict(known)
        self._lines: list[str] = []
        self._depth = 0

    def add(self, *lines: str) -> None:
        """Appends lines at the current indentation."""
        self._lines += [INDENT * self._depth + line for line in lines]

    @contextmanager
    def block(self, head: str = "") -> Iterator[None]:
        """Appends ``head`` if there is one, and indents the lines added within."""
        if head:
            self.add(head)
        self._depth += 1
        yield
        self._depth -= 1

    def refer(self, name: str, thing: object) -> str:
        """Returns a name, made unique, that stands for an object in the text."""
        for known, other in self._known.items():
            if other is thing and known.rstrip("0123456789") == name:
                return known
        unique = f"{name}{len(self._known)}"
        self._known[unique] = thing
        return unique

    @property
    def text(self) -> str:
        """The lines so far."""
        return "\n".join(self._lines) + "\n"

    def compiled(self) -> dict[str, Any]:
        """Compiles the text. Returns its functions, and the objects that it refers to, by name."""
        exec(compile(self.text, "<generated from rules>", "exec"), self._known)  # noqa: S102 - see the module's docstring
        return self._known
