"""Generates one function per segment: its membership, due time and watch bits at one moment.

The interpreted form (:meth:`pipeline.segment.segments.Segments.interpreted`) calls some ten functions per comparison.
The source of a generated function for ``products_viewed over 7 d >= 5 and orders over 7 d = 0``, shortened::

    def segment_3(facts):
        due_ms = -1
        value_0 = total_1(facts)
        if not value_0 >= 5:
            part_ms = FOREVER if value_0 < 5 else until_0(facts, check_0)
            if part_ms >= FOREVER:
                return SegmentState(False, part_ms, 0x10)
            due_ms, bits = part_ms, 0x10
        ...

Due times of nested conditions and of values without a closed form come from the interpreted operands.
``stitchline rules show --compiled`` prints the functions of the rules in force.
"""

from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from pipeline.condition.compiler import Condition, check_of
from pipeline.condition.due import FOREVER
from pipeline.condition.operand import Check
from pipeline.condition.source import Source
from pipeline.condition.syntax import And, Compare, Expression, Known, Not, Or, Truth
from pipeline.segment.compiled import Compiled
from pipeline.segment.facts import Facts, SegmentState
from pipeline.segment.operand import ProfileOperand, Since
from pipeline.segment.reading import Ago, Total
from pipeline.segment.vocabulary import SegmentOperand
from pipeline.segment.watch_bits import WatchBits

Evaluate: TypeAlias = Callable[[Facts], SegmentState]
_PYTHON: Final = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_AFTER: Final = frozenset({">", "<="})
"""Operators whose result changes one millisecond after a growing value has reached the threshold, not with it."""


class _Leaf(NamedTuple):
    """A comparison in the source."""

    leaf: Any
    operand: ProfileOperand
    check: Check
    value: str
    """The variable that holds the operand's value once the comparison was evaluated."""
    read: str
    """The expression that reads it."""


def generated(compiled: Compiled, watch_bits: WatchBits) -> tuple[dict[str, Evaluate], str]:
    """Returns a function by segment, and the source of all."""
    writer = _Writer(compiled, watch_bits)
    for name in compiled.order:
        writer.segment(name)
    functions = writer.source.compiled()
    return {name: functions[writer.name_of[name]] for name in compiled.order}, writer.source.text


class _Writer:
    def __init__(self, compiled: Compiled, watch_bits: WatchBits) -> None:
        self._compiled, self._watch_bits = compiled, watch_bits
        self.source = Source(SegmentState=SegmentState, FOREVER=FOREVER, bisect_left=bisect_left)
        self.name_of = {name: f"segment_{place}" for place, name in enumerate(compiled.order)}
        self._totals: dict[Total, str] = {}
        self._leaves = 0

    def segment(self, name: str) -> None:
        """Writes the function of a segment, after those of the totals that it reads."""
        expressions, parts = self._compiled.expressions[name], self._compiled.parts[name]
        written = [self._expression(expression) for expression in expressions]
        source, own = self.source, self.name_of[name]
        source.add("", f"def {own}(facts):  # {name}")
        with source.block():
            source.add(f"state = facts.segment_states.get({name!r})", "if state is not None:", "    return state")
            source.add("due_ms, bits = -1, 0")
            dues: list[str] = []
            for place, (holds, leaf) in enumerate(written):
                due = self._due(leaf, parts[place])
                dues.append(due)
                with source.block(f"if not ({holds}):"):
                    self._outside(name, place, due)
            with source.block("if due_ms >= 0:"):
                source.add("state = SegmentState(False, due_ms, bits)")
            with source.block("else:"):
                limited = [due for due in dues if due != "FOREVER"] or ["FOREVER"]
                due = limited[0] if len(limited) == 1 else f"min({', '.join(limited)})"
                source.add(f"state = SegmentState(True, {due}, {self._watch_bits.while_inside(name):#x})")
            source.add(f"facts.segment_states[{name!r}] = state", "return state")

    def _outside(self, name: str, place: int, due: str) -> None:
        """Writes what follows from a false part: it alone decides if time cannot make it true."""
        source = self.source
        for_ever = f"{self._watch_bits.while_outside(name, place, FOREVER):#x}"
        until_due = f"{self._watch_bits.while_outside(name, place, 0):#x}"
        source.add(f"part_ms = {due}")
        with source.block("if part_ms >= FOREVER:" if due != "FOREVER" else "if True:"):
            source.add(f"facts.segment_states[{name!r}] = state = SegmentState(False, part_ms, {for_ever})")
            source.add("return state")
        if due != "FOREVER":
            source.add("if part_ms > due_ms:", f"    due_ms, bits = part_ms, {until_due}")

    def _expression(self, expression: Expression) -> tuple[str, _Leaf | None]:
        """Returns the expression that is true if a condition holds, and the comparison that it consists of, if one."""
        if isinstance(expression, And | Or):
            word = " and " if isinstance(expression, And) else " or "
            return word.join(f"({self._expression(part)[0]})" for part in expression.parts), None
        if isinstance(expression, Not):
            holds, leaf = self._expression(expression.part)
            return f"not ({holds})", leaf
        leaf = self._leaf(expression)
        return self._comparison(leaf), leaf

    def _leaf(self, expression: Any) -> _Leaf:
        operand = self._compiled.operand_of(expression.name)
        number, self._leaves = self._leaves, self._leaves + 1
        return _Leaf(expression, operand, check_of(expression, operand), f"value_{number}", self._read(operand))

    def _read(self, operand: ProfileOperand) -> str:
        if isinstance(operand, SegmentOperand):
            return f"{self.name_of[operand.name]}(facts)[0]"
        if isinstance(operand, Total):
            name = self._totals.get(operand)
            if name is None:
                name = self._totals[operand] = f"total_{len(self._totals)}"
                self._total(name, operand)
            return f"{name}(facts)"
        return f"{self.source.refer('read', operand.read)}(facts)"

    def _total(self, name: str, operand: Total) -> None:
        """Writes the function that sums the cells of a window."""
        source, windowed = self.source, operand.windowed
        key, group, tier = windowed.key, windowed.group, windowed.tier
        source.add("", f"def {name}(facts):")
        with source.block():
            source.add(f"total = facts.memory.get({name!r})", "if total is not None:", "    return total", "total = 0")
            if tier is not None:
                source.add(f"oldest = (facts.as_of_ms - {windowed.length_ms}) // {tier.width_ms} + 1")
            with source.block("for ledger in facts.ledgers:"):
                source.add(f"groups = ledger.aggregates.get({key!r})")
                source.add(f"if groups is None or {group!r} not in groups:", "    continue")
                if tier is None:
                    source.add(f"total += groups[{group!r}].total")
                else:
                    source.add(f"series = groups[{group!r}].{tier.field}")
                    with source.block("if series is not None and series.at[-1] >= oldest:"):
                        source.add("at, cells = series.at, series.cells")
                        source.add("total += sum(cells if at[0] >= oldest else cells[bisect_left(at, oldest):])")
            if operand.divisor != 1:
                source.add(f"total = {source.refer('unscaled', windowed.of.read)}(total, {operand.divisor})")
            source.add(f"facts.memory[{name!r}] = total", "return total")

    def _comparison(self, leaf: _Leaf) -> str:
        expression, operand, check, value, read = leaf
        assigned = f"({value} := {read})"
        if isinstance(expression, Known):
            return f"{assigned} is {'' if expression.negated else 'not '}None"
        if isinstance(expression, Truth):
            return f"{assigned} is True"
        if isinstance(expression, Compare) and operand.kind == "number" and expression.operator in _PYTHON:
            operator, wanted = _PYTHON[expression.operator], check.thresholds[0]
            if type(wanted) not in {int, float}:
                return f"{self.source.refer('holds', check.holds)}({assigned})"
            if isinstance(operand, Total) or operator in {"==", "!="}:
                return f"{assigned} {operator} {wanted!r}"
            return f"{assigned} is not None and {value} {operator} {wanted!r}"
        return f"{self.source.refer('holds', check.holds)}({assigned})"

    def _due(self, leaf: _Leaf | None, part: Condition) -> str:
        """Returns the expression of the moment before which time alone cannot change the result of a part."""
        if leaf is None:
            return f"{self.source.refer('due', part.due)}(facts)"
        expression, operand, check, value, _ = leaf
        if isinstance(operand, SegmentOperand):
            return f"{self.name_of[operand.name]}(facts)[1]"
        if isinstance(operand, Total) and operand.windowed.tier is None:
            return "FOREVER"
        checked = self.source.refer("check", check)
        until = f"{self.source.refer('until', operand.until)}(facts, {checked})"
        if not isinstance(expression, Compare) or expression.operator not in _PYTHON:
            return until
        wanted = check.thresholds[0]
        if isinstance(operand, Total) and operand.counts:  # as time passes, a count falls to 0
            return f"(FOREVER if {f'{value} < {wanted!r}' if wanted > 0 else f'not {value}'} else {until})"
        if expression.operator in {"=", "!="}:
            return until
        if isinstance(operand, Since) or (isinstance(operand, Ago) and operand.windowed.tier is None):
            changes_at = wanted + (expression.operator in _AFTER)
            return (
                f"(FOREVER if {value} is None or {value} >= {changes_at} else facts.as_of_ms + {changes_at} - {value})"
            )
        return until
