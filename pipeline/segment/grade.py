"""The operand for grades: the letter of one score and the digit of another."""

from typing import Final

from pipeline.condition.errors import MeaningError
from pipeline.condition.operand import Check, Kind, converted
from pipeline.condition.syntax import Value
from pipeline.score.fit import grade
from pipeline.score.rules import DIGITS, LETTERS, Grades
from pipeline.segment.facts import Facts
from pipeline.segment.operand import ProfileOperand

GRADES: Final = tuple(letter + digit for letter in LETTERS for digit in DIGITS)
"""A1 to D4, the best first."""


class GradeOperand:
    """``grade = "A1"``, ``grade contains "A"``, ``grade < "C"``. In text order, the best grades come first."""

    kind: Kind = "text"

    def __init__(self, rules: Grades, fit: ProfileOperand, engagement: ProfileOperand) -> None:
        """``fit`` and ``engagement`` are the operands of the two scores."""
        self.keys = fit.keys | engagement.keys
        self._rules, self._fit, self._engagement = rules, fit, engagement
        self._letters, self._digits = _crossing(rules.letters), _crossing(rules.digits)

    def read(self, facts: Facts) -> str:
        """Returns the grade; it is never unknown."""
        return grade(self._rules, self._fit.read(facts), self._engagement.read(facts))

    def convert(self, value: Value) -> str:
        """Returns the literal if it is a grade or half of one. Raises MeaningError if it is not."""
        return grade_of(value)

    def until(self, facts: Facts, _check: Check) -> int:
        """Returns the moment before which neither score crosses a step; may be early, never late."""
        return min(self._fit.until(facts, self._letters), self._engagement.until(facts, self._digits))


def grade_of(value: Value) -> str:
    """Returns a literal that a grade can be compared with: a grade, or its letter or digit.

    Raises:
        MeaningError: the literal is neither a grade nor half of one.
    """
    text = str(converted("text", value))
    if text not in {*GRADES, *LETTERS, *DIGITS}:
        message = f"{text!r} is no grade"
        instead = "write a letter from A to D and a digit from 1 to 4, as in A1, or contains with one of the two"
        raise MeaningError(message, instead)
    return text


def _crossing(steps: tuple[float, float, float]) -> Check:
    return Check(lambda value: value >= steps[0], steps[::-1])
