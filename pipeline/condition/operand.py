"""Operands: what a name in a condition stands for: its kind, how to read its value, and its due time.

The caller of the compiler defines the names with a function ``resolve(path, window)``. It returns an :class:`Operand`
or raises :class:`~pipeline.condition.errors.MeaningError`. The type of the facts is the caller's choice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from pipeline.condition.due import FOREVER
from pipeline.condition.errors import MeaningError
from pipeline.condition.syntax import Value

Kind: TypeAlias = Literal["number", "text", "truth", "list", "any"]
"""The type of an operand's values. ``any``: a number, text, truth value or list, known only when the value is read."""

F_contra = TypeVar("F_contra", contravariant=True)


class Check(NamedTuple):
    """The right side of a comparison: operator and literals."""

    holds: Callable[[Any], bool]
    """Whether the comparison holds for a value of the operand; None is an unknown value."""
    thresholds: tuple[Any, ...]
    """The literals, converted by the operand; numbers in ascending order."""


class Operand(Protocol[F_contra]):
    """What a name stands for."""

    @property
    def kind(self) -> Kind:
        """The type of the values. The compiler uses it to reject operators that do not apply."""
        ...

    def read(self, facts: F_contra) -> Any:
        """Returns the value, which is of the kind, or None if it is unknown."""
        ...

    def convert(self, value: Value) -> Any:
        """Returns a literal in the form of the values that ``read`` returns: money in minor units, for example.

        Raises:
            MeaningError: the literal cannot be compared with the operand.
        """
        ...

    def until(self, facts: F_contra, check: Check) -> int:
        """Returns the moment, in ms, before which time alone cannot change the result of ``check``.

        It is later than the moment of the facts, and may be early but never late. Returns FOREVER if time alone changes
        nothing. :mod:`pipeline.condition.due` computes it for values that change in steps or grow with time.
        """
        ...


Resolve: TypeAlias = Callable[[tuple[str, ...], str | None], Operand[F_contra]]
"""(path, window as :func:`~pipeline.event.duration.format_duration` writes it, or None) to the operand."""


@dataclass(frozen=True, slots=True)
class Timeless(Operand[F_contra]):
    """An operand that time alone does not change. It is compared with literals of its own kind."""

    kind: Kind
    read: Callable[[F_contra], Any]  # type: ignore[assignment]  # a field that is called as the method

    def convert(self, value: Value) -> Any:
        """Returns the literal's value."""
        return converted(self.kind, value)

    def until(self, facts: F_contra, check: Check) -> int:  # noqa: ARG002 - independent of facts and check
        """Returns FOREVER."""
        return FOREVER


_EXPECTED: Final[dict[Kind, tuple[str, str]]] = {
    "number": ("a number", "write it without quotes, as in 500"),
    "text": ("a text", 'write it in quotes, as in "gold"'),
    "truth": ("true or false", "write = true or = false"),
}


def converted(kind: Kind, value: Value) -> Any:
    """Returns the literal's value.

    Raises:
        MeaningError: the literal is not of the kind.
    """
    if value.kind == kind or (kind in {"any", "list"} and value.kind != "duration"):
        return value.value
    if kind in {"any", "list"}:
        message = "this is not a span of time"
        raise MeaningError(message, "compare it with a number, a text, true or false")
    what, instead = _EXPECTED[kind]
    message = f"this is {what} and cannot be compared with a {'truth value' if value.kind == 'truth' else value.kind}"
    raise MeaningError(message, instead)


def converted_span(value: Value) -> int:
    """Returns a duration literal in milliseconds.

    Raises:
        MeaningError: the literal is not a duration.
    """
    if value.kind == "duration":
        return int(value.value)
    message = "this is a span of time"
    instead = f"write a unit, as in {value.value} d" if value.kind == "number" else "compare it with one, as in 31 d"
    raise MeaningError(message, instead)
