"""Compiles condition trees into functions of facts. Unknown names and type errors are reported with their position.

A compiled condition has two functions. ``holds`` returns the result and stops at the first part that decides it.
``due`` returns the moment before which time alone cannot change that result. It combines the due times of the parts:

* a false ``and`` cannot become true before the *latest* due time of its false parts;
* a true ``and`` cannot become false before the *earliest* due time of its parts;
* ``or`` is the mirror image; ``not`` has the due time of its part.

The result is constant from the moment of evaluation to the due time. A later evaluation returns no earlier due time,
unless an operand does.
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
"""(path of a name, its window as text or None)."""
Holds: TypeAlias = Callable[[Any], bool]
Due: TypeAlias = Callable[[Any], int]
"""Facts to the moment, in ms, before which time alone cannot change the result."""


class Condition(NamedTuple):
    """A compiled condition: pure functions of facts."""

    holds: Holds
    """Whether the condition holds."""
    due: Due
    """The moment in ms before which time alone cannot change the result; FOREVER if it never can."""
    reads: frozenset[Read]
    """The names that the condition reads."""

    def outlook(self, facts: Any) -> tuple[bool, int]:
        """Returns (whether the condition holds, its due time in ms)."""
        return self.holds(facts), self.due(facts)


def compile_condition(expression: Expression, resolve: Resolve[Any]) -> Condition:
    """Compiles a tree; ``resolve`` returns the operand of each name.

    Raises:
        ConditionError: ``resolve`` does not know a name, an operator does not apply to the operand's kind, or a value
            cannot be compared with the operand.
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
        return _leaf(operand, check_of(expression, operand))

    def _operand(self, name: Name) -> Operand[Any]:
        window = format_duration(name.window_ms) if name.window_ms else None
        try:
            operand = self._resolve(name.path, window)
        except MeaningError as error:
            raise ConditionError(error.message, name.at, error.instead) from error
        self.reads.add((name.path, window))
        return operand


def check_of(comparison: Truth | Compare | Among | Known, operand: Operand[Any]) -> Check:
    """Returns the check that a comparison makes on its operand's value. Raises ConditionError if it is not possible."""
    kind = operand.kind
    if isinstance(comparison, Known):
        return UNKNOWN if comparison.negated else KNOWN
    if isinstance(comparison, Truth):
        if kind not in {"truth", "any"}:
            what = f"is {_KIND_WORDS[kind]}, which is no condition by itself"
            raise _wrong(comparison.name, what, "compare it with a value, or write is known")
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
    """Raises ConditionError for a comparison that could never hold."""
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
    """Returns the due time of ``or`` (decisive: a true part) or of ``and`` (decisive: a false part).

    While any decisive part remains, the result stands. So the due time is the latest one of the decisive parts; with
    no decisive part, it is the earliest one of all parts.
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
