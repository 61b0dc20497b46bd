"""Fit: points for traits. The fit of a profile changes only when its traits do."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pipeline.profile.filter import Filter
from pipeline.profile.fold import traits_of
from pipeline.profile.ledger import Ledger
from pipeline.score.decay import GRID
from pipeline.score.rules import DIGITS, LETTERS, FitRule, Grades


class _TraitsAsTouch(NamedTuple):
    """Presents a profile's traits to filters, which are compiled for touches."""

    traits: dict[str, Any]


class Fit:
    """The fit rules, compiled."""

    def __init__(self, rules: Sequence[FitRule]) -> None:
        self._rules = tuple((rule, Filter(where=rule.where).tests()) for rule in rules)

    def matching(self, ledgers: Sequence[Ledger]) -> list[tuple[FitRule, int]]:
        """Returns the rules whose conditions hold, in the order of the file, each with its points in 1/GRID."""
        if not self._rules:
            return []
        touch: Any = _TraitsAsTouch({name: trait[3] for name, trait in traits_of(ledgers).items()})
        return [(rule, rule.points * GRID) for rule, tests in self._rules if all(test(touch) for test in tests)]


def grade(grades: Grades, fit: float, engagement: float) -> str:
    """Returns the grade: the letter of the fit score and the digit of the engagement score.

    >>> grade(Grades(), 80, 41)
    'A2'
    """
    return _step(grades.letters, fit, LETTERS) + _step(grades.digits, engagement, DIGITS)


def _step(thresholds: Sequence[float], value: float, names: str) -> str:
    return names[sum(value < threshold for threshold in thresholds)]
