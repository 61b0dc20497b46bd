"""Which way a condition can turn when something is booked, so that most touches need not ask it again.

A count only grows, given points only raise a score, a touch only brings the last one nearer. Who is not in a segment
need not be looked at after a booking that can only keep them out, nor who is in it after one that can only keep them
in. The due time found earlier stays right: bookings of one direction can put a change by time off, never forward.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from pipeline.condition.syntax import And, Compare, Expression, Known, Name, Not, Or, Truth

Growth: TypeAlias = Literal["up", "down", "any"]
"""How a known value can move when something is booked under a key. What makes it known is a booking of its own kind:
see ``first_touch_mask`` of :class:`pipeline.segment.watch_bits.WatchBits`."""
RISING: Final = frozenset({">", ">="})
FALLING: Final = frozenset({"<", "<="})


class Drift(NamedTuple):
    """Keys of a profile, as operands name them, by what a booking under them may do to a condition."""

    enter: frozenset[str]
    """It may begin to hold."""
    leave: frozenset[str]
    """It may cease to."""

    def negated(self) -> "Drift":
        """Of the opposite condition."""
        return Drift(self.leave, self.enter)


def union(parts: Sequence[Drift]) -> Drift:
    """Of a condition made of parts, by ``and`` or by ``or``."""
    return Drift(frozenset().union(*[part.enter for part in parts]), frozenset().union(*[part.leave for part in parts]))


def drift_of(expression: Expression, operand_of: Callable[[Name], Any], others: Mapping[str, Drift]) -> Drift:
    """The drift of a condition that compiles. ``others``: by name, that of the segments it may read."""
    if isinstance(expression, And | Or):
        return union([drift_of(part, operand_of, others) for part in expression.parts])
    if isinstance(expression, Not):
        return drift_of(expression.part, operand_of, others).negated()
    if expression.name.path[0] == "segment":
        other = others[".".join(expression.name.path[1:])]
        both = other.enter | other.leave
        return other if isinstance(expression, Truth) else Drift(both, both)
    operand = operand_of(expression.name)
    grows: Mapping[str, Growth] = getattr(operand, "grows", {})  # who does not say may move either way
    enter = frozenset(key for key in operand.keys if _may_turn(expression, grows.get(key, "any"), enter=True))
    leave = frozenset(key for key in operand.keys if _may_turn(expression, grows.get(key, "any"), enter=False))
    return Drift(enter, leave)


def _may_turn(leaf: Any, growth: Growth, *, enter: bool) -> bool:
    """Whether a move of the value can make the comparison begin (or cease) to hold."""
    if growth == "any":
        return True
    if isinstance(leaf, Known):
        return enter is not leaf.negated
    if not isinstance(leaf, Compare) or leaf.operator not in RISING | FALLING:
        return True
    return enter is ((leaf.operator in RISING) == (growth == "up"))
