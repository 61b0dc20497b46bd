"""Operands over a profile: those of the condition language that also tell which changes of a profile they follow."""

from collections.abc import Callable
from typing import Any, Protocol

from pipeline.condition.due import FOREVER, due_growing
from pipeline.condition.errors import MeaningError
from pipeline.condition.operand import Check, Kind, Operand, converted, converted_span
from pipeline.condition.syntax import Value
from pipeline.segment.drift import Growth
from pipeline.segment.facts import Facts


class ProfileOperand(Operand[Facts], Protocol):
    """What a name stands for in a profile."""

    @property
    def keys(self) -> frozenset[str]:
        """What must change in a profile for the value to change but by time.

        The booking key of an aggregate (``kind:name``), the name of a score, ``traits``, ``consent``, ``identifiers``,
        ``cart`` or ``touch``, which every touch changes.
        """
        ...


class Plain:
    """A value that time alone does not change."""

    def __init__(self, kind: Kind, key: str, read: Callable[[Facts], Any]) -> None:
        self.kind, self.keys, self.read = kind, frozenset({key}), read

    def convert(self, value: Value) -> Any:
        """The literal as it is."""
        return converted(self.kind, value)

    def until(self, _facts: Facts, _check: Check) -> int:
        """Never."""
        return FOREVER


class Since:
    """How long ago something was, in ms: grows with every moment. Compared with durations."""

    kind: Kind = "number"

    def __init__(self, key: str, moment: Callable[[Facts], int | None], growth: Growth = "any") -> None:
        self.keys, self._moment = frozenset({key}), moment
        self.grows: dict[str, Growth] = {key: growth}

    def read(self, facts: Facts) -> int | None:
        """None if it has never been."""
        at_ms = self._moment(facts)
        return None if at_ms is None else facts.as_of_ms - at_ms

    def convert(self, value: Value) -> int:
        """Milliseconds of a duration."""
        return converted_span(value)

    def until(self, facts: Facts, check: Check) -> int:
        """Exact."""
        value = self.read(facts)
        return FOREVER if value is None else due_growing(check.holds, check.thresholds, value, facts.as_of_ms)


def no_parts(name: str, parts: tuple[str, ...], what: str) -> None:
    """Refuse parts of a value that has none.

    Raises:
        MeaningError: there are parts.
    """
    if parts:
        message = f"{name} is {what} and has no {'.'.join(parts)}"
        raise MeaningError(message, f"write {name}")
