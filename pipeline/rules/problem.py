"""Problems in rules files: position, message and advice."""

from collections.abc import Sequence

import msgspec

from pipeline.condition.advice import did_you_mean
from pipeline.errors import OperatorError

__all__ = ["Problem", "RulesError", "did_you_mean"]


class Problem(msgspec.Struct, frozen=True, order=True):
    """One mistake. ``line`` and ``column`` count from 1, as editors do; both are 0 for the file as a whole."""

    file: str
    line: int
    column: int
    message: str
    instead: str = ""
    """What to write instead; empty if ``message`` makes that obvious."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}" + (f"; {self.instead}" if self.instead else "")


class RulesError(OperatorError):
    """The rules cannot be used. Lists every problem of every file.

    Operator action: correct the named lines; ``stitchline rules check DIR`` shows the same list.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))
