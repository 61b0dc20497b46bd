"""The directions in which bookings can change a condition, so that most touches need not evaluate it again.

A count only grows, given points only raise a score, and a touch only shortens the time since the last one. So for a
profile outside a segment, a booking that cannot make the condition true needs no evaluation. The same holds inside a
segment for a booking that cannot make it false. The stored due time stays valid, because a booking in such a direction
can only postpone a change that time alone brings.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from pipeline.condition.syntax import And, Compare, Expression, Known, Name, Not, Or, Truth

Growth: TypeAlias = Literal["up", "down", "any"]
"""The direction in which bookings under a key can move a known value. The first booking of its kind makes it known: see
``first_touch_mask`` of :class:`pipeline.segment.watch_bits.WatchBits`."""
RISING: Final = frozenset({">", ">="})
FALLING: Final = frozenset({"<", "<="})


class Drift(NamedTuple):
    """The booking keys that can change a condition, by direction."""

    enter: frozenset[str]
    """Bookings under these keys can make the condition true."""
    leave: frozenset[str]
    """Bookings under these keys can make it false."""

    def negated(self) -> "Drift":
        """Returns the drift of the negated condition."""
        return Drift(self.leave, self.enter)


def union(parts: Sequence[Drift]) -> Drift:
    """Returns the drift of ``and`` or ``or`` over parts."""
    return Drift(frozenset().union(*[part.enter for part in parts]), frozenset().union(*[part.leave for part in parts]))


def drift_of(expression: Expression, operand_of: Callable[[Name], Any], others: Mapping[str, Drift]) -> Drift:
    """Returns the drift of a valid condition. ``others`` has the drift of every segment that it may read, by name."""
    if isinstance(expression, And | Or):
        return union([drift_of(part, operand_of, others) for part in expression.parts])
    if isinstance(expression, Not):
        return drift_of(expression.part, operand_of, others).negated()
    if expression.name.path[0] == "segment":
        other = others[".".join(expression.name.path[1:])]
        both = other.enter | other.leave
        return other if isinstance(expression, Truth) else Drift(both, both)
    operand = operand_of(expression.name)
    grows: Mapping[str, Growth] = getattr(operand, "grows", {})  # by default a value can move either way
    enter = frozenset(key for key in operand.keys if _may_turn(expression, grows.get(key, "any"), enter=True))
    leave = frozenset(key for key in operand.keys if _may_turn(expression, grows.get(key, "any"), enter=False))
    return Drift(enter, leave)


def _may_turn(leaf: Any, growth: Growth, *, enter: bool) -> bool:
    """Whether a move in this direction can make the comparison true (or, without ``enter``, false)."""
    if growth == "any":
        return True
    if isinstance(leaf, Known):
        return enter is not leaf.negated
    if not isinstance(leaf, Compare) or leaf.operator not in RISING | FALLING:
        return True
    return enter is ((leaf.operator in RISING) == (growth == "up"))
