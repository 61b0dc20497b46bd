"""Conditions compiled into functions of facts, once; what no name can mean is found here, with its place.

A condition is asked two things. ``holds`` stops at the first part that decides. ``due`` says until when that answer
stands if nothing but time passes, of its parts' own due times:

* an ``and`` that fails holds at the earliest when the *last* of its failing parts may turn;
* an ``and`` that holds may fail when the *first* of its parts may turn;
* ``or`` the other way round; ``not`` as its part.

From one moment to a later one before the due time the answer is the same, and the due time does not go back unless an
operand's own does.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from pipeline.condition.comparing import KNOWN, TRUE, UNKNOWN, among, comparing
from pipeline.condition.due import FOREVER
from pipeline.condition.errors import ConditionError, MeaningError
from pipeline.condition.operand import Check, Kind, Operand, Resolve
from pipeline.condition.syntax import Among, And, Compare, Expression, Known, Name, Not, Operator, Or, Truth, Value
from pipeline.condition.text import format_name
from pipeline.event.duration import format_duration

Read: TypeAlias = tuple[tuple[str, ...], str | None]
"""A path and its window."""
Holds: TypeAlias = Callable[[Any], bool]
Due: TypeAlias = Callable[[Any], int]
"""The moment before which the answer, as it is now, cannot change by time alone."""


class Condition(NamedTuple):
    """A compiled condition: pure functions of facts."""

    holds: Holds
    """Whether it holds."""
    due: Due
    """The moment in ms before which that cannot change by time alone; FOREVER if it cannot."""
    reads: frozenset[Read]
    """What it depends on."""

    def outlook(self, facts: Any) -> tuple[bool, int]:
        """Whether it holds, and until when that stands."""
        return self.holds(facts), self.due(facts)


def compile_condition(expression: Expression, resolve: Resolve[Any]) -> Condition:
    """Make a condition of a tree.

    Raises:
        ConditionError: a name that ``resolve`` does not know, an operator its kind does not take, or a value that
            it cannot be compared with.
    """
    compiler = _Compiler(resolve)
    holds, due = compiler.compiled(expression)
    return Condition(holds, due, frozenset(compiler.reads))


_KIND_WORDS: Final[dict[Kind, str]] = {
    "number": "a number", "text": "a text", "truth": "true or false", "list": "a list", "any": "any",
}  # fmt: skip


class _Compiler:
    def __init__(self, resolve: Resolve[Any]) -> None:
        self._resolve = resolve
        self.reads: set[Read] = set()

    def compiled(self, expression: Expression) -> tuple[Holds, Due]:
        if isinstance(expression, And | Or):
            parts = [self.compiled(part) for part in expression.parts]
            holds = [part[0] for part in parts]
            if isinstance(expression, And):
                return _all_hold(holds), _joined(parts, decisive=False)
            return _any_holds(holds), _joined(parts, decisive=True)
        if isinstance(expression, Not):
            holds_not, due = self.compiled(expression.part)
            return lambda facts: not holds_not(facts), due
        operand = self._operand(expression.name)
        return _leaf(operand, self._check(expression, operand))

    def _operand(self, name: Name) -> Operand[Any]:
        window = format_duration(name.window_ms) if name.window_ms else None
        try:
            operand = self._resolve(name.path, window)
        except MeaningError as error:
            raise ConditionError(error.message, name.at, error.instead) from error
        self.reads.add((name.path, window))
        return operand

    def _check(self, comparison: Truth | Compare | Among | Known, operand: Operand[Any]) -> Check:
        kind = operand.kind
        if isinstance(comparison, Known):
            return UNKNOWN if comparison.negated else KNOWN
        if isinstance(comparison, Truth):
            if kind not in {"truth", "any"}:
                what = f"is {_KIND_WORDS[kind]}, which is no condition by itself"
                raise _wrong(comparison.name, what, "compare it with a value, or ask whether it is known")
            return TRUE
        if kind == "list" and not (isinstance(comparison, Compare) and comparison.operator == "contains"):
            raise _wrong(comparison.name, "is a list, which equals no value", "write contains, as in contains 'x'")
        if isinstance(comparison, Among):
            return among([_converted(operand, literal) for literal in comparison.values], negated=comparison.negated)
        _check_operator(comparison.name, comparison.operator, comparison.value, kind)
        return comparing(comparison.operator, _converted(operand, comparison.value))


def _converted(operand: Operand[Any], value: Value) -> Any:
    try:
        return operand.convert(value)
    except MeaningError as error:
        raise ConditionError(error.message, value.at, error.instead) from error


def _check_operator(name: Name, operator: Operator, value: Value, kind: Kind) -> None:
    """Refuse what could never hold."""
    if operator == "contains" and kind in {"number", "truth"}:
        raise _wrong(name, f"is {_KIND_WORDS[kind]}, which contains nothing", "write = for equality")
    if operator not in {"=", "!=", "contains"}:
        if kind == "truth":
            raise _wrong(name, "is true or false, which have no order", "write = true, or the name alone")
        if value.kind == "truth":
            message = f"{'true' if value.value else 'false'} is neither more nor less than anything"
            raise ConditionError(message, value.at, "write = or !=")


def _wrong(name: Name, what: str, instead: str) -> ConditionError:
    return ConditionError(f"{format_name(name)} {what}", name.at, instead)


def _leaf(operand: Operand[Any], check: Check) -> tuple[Holds, Due]:
    read, until, holds = operand.read, operand.until, check.holds
    return lambda facts: holds(read(facts)), lambda facts: until(facts, check)


def _all_hold(parts: Sequence[Holds]) -> Holds:
    def holds(facts: Any) -> bool:
        for part in parts:  # noqa: SIM110 - a generator would cost more than the parts
            if not part(facts):
                return False
        return True

    return holds


def _any_holds(parts: Sequence[Holds]) -> Holds:
    def holds(facts: Any) -> bool:
        for part in parts:  # noqa: SIM110 - as above
            if part(facts):
                return True
        return False

    return holds


def _joined(parts: Sequence[tuple[Holds, Due]], *, decisive: bool) -> Due:
    """Of ``or`` (one part that holds decides) or of ``and`` (one that fails decides).

    Where some decide, only these are asked until when: the last of them to turn is waited for, whatever the others do.
    """

    def due(facts: Any) -> int:
        last_ms = 0
        for holds, part_due in parts:
            if holds(facts) is decisive:
                due_ms = part_due(facts)
                if due_ms >= FOREVER:
                    return FOREVER
                last_ms = max(last_ms, due_ms)
        return last_ms or min([part_due(facts) for _, part_due in parts])

    return due
