"""What a name means: its kind, how it is read from the facts, and until when it stays as it is.

Who compiles a condition says what names there are with a function ``resolve(path, window)`` that gives an
:class:`Operand` or raises :class:`~pipeline.condition.errors.MeaningError`. Facts are whatever it likes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from pipeline.condition.due import FOREVER
from pipeline.condition.errors import MeaningError
from pipeline.condition.syntax import Value

Kind: TypeAlias = Literal["number", "text", "truth", "list", "any"]
"""What the values of an operand are; ``any`` is known only when it is read: a number, text, truth value or list."""

F_contra = TypeVar("F_contra", contravariant=True)


class Check(NamedTuple):
    """A comparison without its operand."""

    holds: Callable[[Any], bool]
    """Whether it holds for a value of the operand; None is a value that is unknown."""
    thresholds: tuple[Any, ...]
    """The values that the operand is compared with, as it converted them, the least first where they have an order."""


class Operand(Protocol[F_contra]):
    """What a name stands for."""

    @property
    def kind(self) -> Kind:
        """Which operators make sense is told by this when a condition is compiled."""
        ...

    def read(self, facts: F_contra) -> Any:
        """The value, of the kind, or None where it is unknown."""
        ...

    def convert(self, value: Value) -> Any:
        """A literal as the values that are read are to be compared with it: money in minor units, for example.

        Raises:
            MeaningError: the two cannot be compared.
        """
        ...

    def until(self, facts: F_contra, check: Check) -> int:
        """The moment, in ms, before which ``check`` of the value cannot turn out otherwise if nothing but time passes.

        After the moment of the facts; never late, though it may be early; FOREVER where time alone changes nothing.
        :mod:`pipeline.condition.due` has it for values that move in steps and for those that grow with time.
        """
        ...


Resolve: TypeAlias = Callable[[tuple[str, ...], str | None], Operand[F_contra]]
"""(path, window as :func:`~pipeline.event.duration.format_duration` writes it, or None) to what they mean."""


@dataclass(frozen=True, slots=True)
class Timeless(Operand[F_contra]):
    """An operand that time alone does not change, compared with literals of its own kind."""

    kind: Kind
    read: Callable[[F_contra], Any]  # type: ignore[assignment]  # a field that is called as the method

    def convert(self, value: Value) -> Any:
        """The literal as it is."""
        return converted(self.kind, value)

    def until(self, facts: F_contra, check: Check) -> int:  # noqa: ARG002 - the same for all
        """Never."""
        return FOREVER


_ASKED: Final[dict[Kind, tuple[str, str]]] = {
    "number": ("a number", "write it without quotes, as in 500"),
    "text": ("a text", 'write it in quotes, as in "gold"'),
    "truth": ("true or false", "write = true or = false"),
}


def converted(kind: Kind, value: Value) -> Any:
    """The literal's value, if it is of the kind.

    Raises:
        MeaningError: it is not.
    """
    if value.kind == kind or (kind in {"any", "list"} and value.kind != "duration"):
        return value.value
    if kind in {"any", "list"}:
        message = "this is not a span of time"
        raise MeaningError(message, "compare it with a number, a text, true or false")
    what, instead = _ASKED[kind]
    message = f"this is {what} and cannot be compared with a {'truth value' if value.kind == 'truth' else value.kind}"
    raise MeaningError(message, instead)


def converted_span(value: Value) -> int:
    """The milliseconds of a literal that must be a duration.

    Raises:
        MeaningError: it is none.
    """
    if value.kind == "duration":
        return int(value.value)
    message = "this is a span of time"
    instead = f"write a unit, as in {value.value} d" if value.kind == "number" else "compare it with one, as in 31 d"
    raise MeaningError(message, instead)
