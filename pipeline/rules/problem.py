"""What is wrong in a rules file, where, and what to write instead."""

import difflib
from collections.abc import Iterable, Sequence

import msgspec


class Problem(msgspec.Struct, frozen=True, order=True):
    """One mistake. ``line`` and ``column`` count from 1, as editors do; 0 where the file as a whole is meant."""

    file: str
    line: int
    column: int
    message: str
    instead: str = ""
    """What to write; empty where ``message`` leaves no choice."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}" + (f"; {self.instead}" if self.instead else "")


class RulesError(Exception):
    """Rules that cannot be used, with every problem of every file.

    Operator action: correct the named lines; ``stitchline rules check DIR`` shows the same list.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


def did_you_mean(written: str, known: Iterable[str]) -> str:
    """Advice for an unknown name: the nearest known one, or the choice there is."""
    names = sorted(set(known))
    if not names:
        return "there is none to name yet"
    near = difflib.get_close_matches(written.lower(), {name.lower() for name in names}, n=1, cutoff=0.6)
    if near:
        return f"did you mean {next(name for name in names if name.lower() == near[0])}?"
    return f"write {', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else f"write {names[0]}"
