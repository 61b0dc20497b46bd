"""Fit: points for who somebody is. A function of the traits alone, so it changes only when they do."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pipeline.profile.filter import Filter
from pipeline.profile.fold import traits_of
from pipeline.profile.ledger import Ledger
from pipeline.score.decay import GRID
from pipeline.score.rules import DIGITS, LETTERS, FitRule, Grades


class _Known(NamedTuple):
    """Looks like a touch to conditions on traits."""

    traits: dict[str, Any]


class Fit:
    """The fit rules, compiled."""

    def __init__(self, rules: Sequence[FitRule]) -> None:
        self._rules = tuple((rule, Filter(where=rule.where).tests()) for rule in rules)

    def matching(self, ledgers: Sequence[Ledger]) -> list[tuple[FitRule, int]]:
        """The rules that hold, in their order, each with its points in 1/GRID."""
        if not self._rules:
            return []
        known: Any = _Known({name: trait[3] for name, trait in traits_of(ledgers).items()})
        return [(rule, rule.points * GRID) for rule, tests in self._rules if all(test(known) for test in tests)]


def grade(grades: Grades, fit: float, engagement: float) -> str:
    """The letter of one value and the digit of the other.

    >>> grade(Grades(), 80, 41)
    'A2'
    """
    return _step(grades.letters, fit, LETTERS) + _step(grades.digits, engagement, DIGITS)


def _step(thresholds: Sequence[float], value: float, names: str) -> str:
    return names[sum(value < threshold for threshold in thresholds)]
