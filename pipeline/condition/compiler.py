"""Conditions compiled into functions of facts, once; what no name can mean is found here, with its place.

A condition is asked in two ways. ``holds`` is the quick one: it stops at the first part that decides. ``outlook`` also
says until when the answer stands if nothing but time passes, of its parts' own due times:

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
from pipeline.condition.duration import format_duration
from pipeline.condition.errors import ConditionError, MeaningError
from pipeline.condition.operand import Check, Kind, Operand, Resolve
from pipeline.condition.syntax import Among, And, Compare, Expression, Known, Name, Not, Operator, Or, Truth, Value
from pipeline.condition.text import format_name

Read: TypeAlias = tuple[tuple[str, ...], str | None]
"""A path and its window."""
Holds: TypeAlias = Callable[[Any], bool]
Outlook: TypeAlias = Callable[[Any], tuple[bool, int]]


class Condition(NamedTuple):
    """A compiled condition: pure functions of facts."""

    holds: Holds
    """Whether it holds."""
    outlook: Outlook
    """Whether it holds, and the moment in ms before which that cannot change by time alone; FOREVER if it cannot."""
    reads: frozenset[Read]
    """What it depends on."""


def compile_condition(expression: Expression, resolve: Resolve[Any]) -> Condition:
    """Make a condition of a tree.

    Raises:
        ConditionError: a name that ``resolve`` does not know, an operator its kind does not take, or a value that
            it cannot be compared with.
    """
    compiler = _Compiler(resolve)
    holds, outlook = compiler.compiled(expression)
    return Condition(holds, outlook, frozenset(compiler.reads))


_KIND_WORDS: Final[dict[Kind, str]] = {"number": "a number", "text": "a text", "truth": "true or false", "any": "any"}


class _Compiler:
    def __init__(self, resolve: Resolve[Any]) -> None:
        self._resolve = resolve
        self.reads: set[Read] = set()

    def compiled(self, expression: Expression) -> tuple[Holds, Outlook]:
        if isinstance(expression, And | Or):
            parts = [self.compiled(part) for part in expression.parts]
            holds, outlooks = [part[0] for part in parts], [part[1] for part in parts]
            if isinstance(expression, And):
                return _all_hold(holds), _joined(outlooks, decisive=False)
            return _any_holds(holds), _joined(outlooks, decisive=True)
        if isinstance(expression, Not):
            return _negated(*self.compiled(expression.part))
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

    def _check(self, asked: Truth | Compare | Among | Known, operand: Operand[Any]) -> Check:
        kind = operand.kind
        if isinstance(asked, Known):
            return UNKNOWN if asked.negated else KNOWN
        if isinstance(asked, Truth):
            if kind not in {"truth", "any"}:
                what = f"is {_KIND_WORDS[kind]}, which is no condition by itself"
                raise _wrong(asked.name, what, "compare it with a value, or ask whether it is known")
            return TRUE
        if isinstance(asked, Among):
            return among([_converted(operand, each) for each in asked.values], negated=asked.negated)
        _check_operator(asked.name, asked.operator, asked.value, kind)
        return comparing(asked.operator, _converted(operand, asked.value))


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


def _leaf(operand: Operand[Any], check: Check) -> tuple[Holds, Outlook]:
    read, until, holds = operand.read, operand.until, check.holds
    return lambda facts: holds(read(facts)), lambda facts: (holds(read(facts)), until(facts, check))


def _negated(holds: Holds, outlook: Outlook) -> tuple[Holds, Outlook]:
    def negated(facts: Any) -> tuple[bool, int]:
        held, due_ms = outlook(facts)
        return not held, due_ms

    return lambda facts: not holds(facts), negated


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


def _joined(parts: Sequence[Outlook], *, decisive: bool) -> Outlook:
    """The outlook of ``or`` (one part that holds decides) or of ``and`` (one that fails decides)."""

    def outlook(facts: Any) -> tuple[bool, int]:
        first_ms, last_ms = FOREVER, 0
        for part in parts:
            held, due_ms = part(facts)
            if held is decisive:
                if due_ms >= FOREVER:
                    return decisive, FOREVER
                last_ms = max(last_ms, due_ms)
            elif due_ms < first_ms:
                first_ms = due_ms
        return (decisive, last_ms) if last_ms else (not decisive, first_ms)

    return outlook
