"""Operands over a profile. They extend the operands of the condition language by the booking keys they depend on."""

from collections.abc import Callable
from typing import Any, Protocol

from pipeline.condition.due import FOREVER, due_growing
from pipeline.condition.errors import MeaningError
from pipeline.condition.operand import Check, Kind, Operand, converted, converted_span
from pipeline.condition.syntax import Value
from pipeline.segment.drift import Growth
from pipeline.segment.facts import Facts


class ProfileOperand(Operand[Facts], Protocol):
    """The operand of a name in conditions over profiles."""

    @property
    def keys(self) -> frozenset[str]:
        """The booking keys that can change the value. Apart from them, only time can.

        A key is the booking key of an aggregate (``kind:name``), one of :mod:`pipeline.score.keys`, ``traits``,
        ``consent``, ``identifiers``, ``cart``, or ``touch``, which every touch books.
        """
        ...


class Plain:
    """A value that time alone does not change."""

    def __init__(self, kind: Kind, key: str, read: Callable[[Facts], Any]) -> None:
        self.kind, self.keys, self.read = kind, frozenset({key}), read

    def convert(self, value: Value) -> Any:
        """Returns the literal's value."""
        return converted(self.kind, value)

    def until(self, _facts: Facts, _check: Check) -> int:
        """Returns FOREVER."""
        return FOREVER


class Since:
    """The time since a moment, in ms. It is compared with durations."""

    kind: Kind = "number"

    def __init__(self, key: str, moment: Callable[[Facts], int | None], growth: Growth = "any") -> None:
        self.keys, self.moment = frozenset({key}), moment
        self.grows: dict[str, Growth] = {key: growth}

    def read(self, facts: Facts) -> int | None:
        """Returns the time since the moment in ms; None if there is no such moment."""
        at_ms = self.moment(facts)
        return None if at_ms is None else facts.as_of_ms - at_ms

    def convert(self, value: Value) -> int:
        """Returns a duration literal in milliseconds."""
        return converted_span(value)

    def until(self, facts: Facts, check: Check) -> int:
        """Returns the exact due time."""
        value = self.read(facts)
        return FOREVER if value is None else due_growing(check.holds, check.thresholds, value, facts.as_of_ms)


def no_parts(name: str, parts: tuple[str, ...], what: str) -> None:
    """Checks that a name is not followed by parts, because its value has none.

    Raises:
        MeaningError: there are parts.
    """
    if parts:
        message = f"{name} is {what} and has no {'.'.join(parts)}"
        raise MeaningError(message, f"write {name}")
