"""Comparisons of an operand's value with literals. None stands for an unknown value."""

from collections.abc import Callable, Sequence
from operator import ge, gt, le, lt
from typing import Any, Final

from pipeline.condition.operand import Check
from pipeline.condition.syntax import Operator
from pipeline.event.number_text import number_of

_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {"<": lt, "<=": le, ">": gt, ">=": ge}

TRUE: Final = Check(lambda value: value is True, ())
KNOWN: Final = Check(lambda value: value is not None, ())
UNKNOWN: Final = Check(lambda value: value is None, ())


def comparing(operator: Operator, wanted: Any) -> Check:
    """Returns the check for ``value OPERATOR wanted``."""
    if operator == "=":
        return Check(lambda value: _same(value, wanted), (wanted,))
    if operator == "!=":
        return Check(lambda value: not _same(value, wanted), (wanted,))
    if operator == "contains":
        return Check(lambda value: _contains(value, wanted), (wanted,))
    return Check(_ordered(_ORDERS[operator], wanted), (wanted,))


def among(wanted: Sequence[Any], *, negated: bool) -> Check:
    """Returns the check for ``in`` the wanted values, or for ``not in`` if ``negated``."""
    numbers = all(type(literal) in (int, float) for literal in wanted)
    thresholds = tuple(sorted(wanted) if numbers else wanted)
    if negated:
        return Check(lambda value: not any(_same(value, literal) for literal in wanted), thresholds)
    return Check(lambda value: any(_same(value, literal) for literal in wanted), thresholds)


def _ordered(order: Callable[[Any, Any], bool], wanted: Any) -> Callable[[Any], bool]:
    """Compares numbers (also in texts) with numbers and texts with texts; false for any other pair of types."""
    if type(wanted) is str:
        return lambda value: type(value) is str and order(value, wanted)
    return lambda value: (number := number_of(value)) is not None and order(number, wanted)


def _same(one: Any, other: Any) -> bool:
    """Equality that distinguishes true from 1, and compares a number in a text with a number as numbers."""
    if type(one) is str and type(other) in (int, float):
        one = number_of(one)
    return bool(one == other) and (type(one) is bool) == (type(other) is bool)


def _contains(value: Any, part: Any) -> bool:
    if type(value) is str:
        return type(part) is str and part in value
    return type(value) is list and any(_same(item, part) for item in value)
