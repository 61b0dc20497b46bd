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
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

from pipeline.condition.compiler import Condition, check_of
from pipeline.condition.due import FOREVER
from pipeline.condition.operand import Check
from pipeline.condition.source import Source
from pipeline.condition.syntax import And, Compare, Expression, Known, Name, Not, Or, Truth
from pipeline.segment.compiled import Compiled
from pipeline.segment.facts import Facts, SegmentState
from pipeline.segment.operand import Plain, ProfileOperand, Since
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


class _Leaves(NamedTuple):
    """Comparisons that are joined by one ``and`` or ``or``."""

    are_all_required: bool
    """Whether they are joined by ``and``."""
    leaves: tuple[_Leaf, ...]


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
        self.source = Source(
            SegmentState=SegmentState, made=tuple.__new__, FOREVER=FOREVER, bisect_left=bisect_left
        )
        self.name_of = {name: f"segment_{place}" for place, name in enumerate(compiled.order)}
        names = [name for parts in compiled.expressions.values() for part in parts for name in _names_in(part)]
        operands = [compiled.operand_of(name) for name in names]
        self._read_again = {operand.name for operand in operands if isinstance(operand, SegmentOperand)}
        """Segments that other segments read, which are evaluated once per facts."""
        self._reads = Counter(operand for operand in operands if isinstance(operand, Total))
        """Totals, with the number of comparisons that read them."""
        self._totals: dict[Total, str] = {}
        self._leaves = 0

    def segment(self, name: str) -> None:
        """Writes the function of a segment, after those of the totals that it reads."""
        expressions, parts = self._compiled.expressions[name], self._compiled.parts[name]
        written = [self._expression(expression) for expression in expressions]
        source, own = self.source, self.name_of[name]
        source.add("", f"def {own}(facts):  # {name}")
        with source.block():
            if name in self._read_again:
                source.add(f"state = facts.segment_states.get({name!r})", "if state is not None:", "    return state")
            source.add("due_ms, bits = -1, 0")
            dues: list[str] = []
            for place, (holds, leaf) in enumerate(written):
                dues.append(self._due(leaf, parts[place], holds=True))
                with source.block(f"if not ({holds}):"):
                    self._outside(name, place, self._due(leaf, parts[place], holds=False))
            with source.block("if due_ms >= 0:"):
                self._return(name, "made(SegmentState, (False, due_ms, bits))")
            self._return(name, self._state(_least(dues), inside=True, bits=self._watch_bits.while_inside(name)))

    def _state(self, due: str, *, inside: bool, bits: int) -> str:
        """Returns the expression of a state: an object made once if it has no due time."""
        if due == "FOREVER":
            return self.source.refer("state", SegmentState(inside, FOREVER, bits))
        return f"made(SegmentState, ({inside}, {due}, {bits:#x}))"

    def _return(self, name: str, state: str) -> None:
        if name in self._read_again:
            state = f"facts.segment_states.setdefault({name!r}, {state})"
        self.source.add(f"return {state}")

    def _outside(self, name: str, place: int, due: str) -> None:
        """Writes what follows from a false part: it alone decides if time cannot make it true."""
        source = self.source
        for_ever = self._state("FOREVER", inside=False, bits=self._watch_bits.while_outside(name, place, FOREVER))
        if due == "FOREVER":
            self._return(name, for_ever)
            return
        source.add(f"part_ms = {due}")
        with source.block("if part_ms >= FOREVER:"):
            self._return(name, for_ever)
        until_due = f"{self._watch_bits.while_outside(name, place, 0):#x}"
        source.add("if part_ms > due_ms:", f"    due_ms, bits = part_ms, {until_due}")

    def _expression(self, expression: Expression) -> tuple[str, _Leaf | _Leaves | None]:
        """Returns the expression that is true if a condition holds, and the comparisons that it consists of.

        None: comparisons are nested too deeply to derive the due time from their values.
        """
        if isinstance(expression, And | Or):
            word = " and " if isinstance(expression, And) else " or "
            written = [self._expression(part) for part in expression.parts]
            leaves = tuple(leaf for _, leaf in written if isinstance(leaf, _Leaf))
            whole = _Leaves(isinstance(expression, And), leaves) if len(leaves) == len(written) else None
            return word.join(f"({holds})" for holds, _ in written), whole
        if isinstance(expression, Not):
            holds, leaf = self._expression(expression.part)
            return f"not ({holds})", leaf if isinstance(leaf, _Leaf) else None
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
        if isinstance(operand, Since):
            moment = f"{self.source.refer('moment', operand.moment)}(facts)"
            return f"None if (at_ms := {moment}) is None else facts.as_of_ms - at_ms"
        return f"{self.source.refer('read', operand.read)}(facts)"

    def _total(self, name: str, operand: Total) -> None:
        """Writes the function that sums the cells of a window."""
        source, windowed = self.source, operand.windowed
        key, group, tier = windowed.key, windowed.group, windowed.tier
        source.add("", f"def {name}(facts):")
        with source.block():
            is_read_again = self._reads[operand] > 1
            if is_read_again:
                source.add(f"total = facts.memory.get({name!r})", "if total is not None:", "    return total")
            source.add("total = 0")
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
            if is_read_again:
                source.add(f"facts.memory[{name!r}] = total")
            source.add("return total")

    def _comparison(self, leaf: _Leaf) -> str:
        expression, operand, check, value, read = leaf
        assigned = f"({value} := {read})"
        if isinstance(expression, Known):
            return f"{assigned} is {'' if expression.negated else 'not '}None"
        if isinstance(expression, Truth):
            return f"{assigned} is True"
        if isinstance(expression, Compare) and expression.operator in {"=", "!="} and type(check.thresholds[0]) is str:
            return f"{assigned} {_PYTHON[expression.operator]} {check.thresholds[0]!r}"
        if isinstance(expression, Compare) and operand.kind == "number" and expression.operator in _PYTHON:
            operator, wanted = _PYTHON[expression.operator], check.thresholds[0]
            if type(wanted) not in {int, float}:
                return f"{self.source.refer('holds', check.holds)}({assigned})"
            if isinstance(operand, Total) or operator in {"==", "!="}:
                return f"{assigned} {operator} {wanted!r}"
            return f"{assigned} is not None and {value} {operator} {wanted!r}"
        return f"{self.source.refer('holds', check.holds)}({assigned})"

    def _due(self, leaf: _Leaf | _Leaves | None, part: Condition, *, holds: bool) -> str:
        """Returns the expression of the moment before which time alone cannot change the result of a part."""
        if isinstance(leaf, _Leaf):
            return self._due_of(leaf)
        if leaf is not None and leaf.are_all_required is holds:  # each was evaluated, and each alone can change it
            return _least([self._due_of(each) for each in leaf.leaves])
        return f"{self.source.refer('due', part.due)}(facts)"

    def _due_of(self, leaf: _Leaf) -> str:
        expression, operand, check, value, _ = leaf
        if isinstance(operand, SegmentOperand):
            return f"{self.name_of[operand.name]}(facts)[1]"
        if isinstance(operand, Plain) or (isinstance(operand, Total) and operand.windowed.tier is None):
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


def _least(dues: list[str]) -> str:
    """Returns the expression of the least of some due times."""
    limited = list(dict.fromkeys(due for due in dues if due != "FOREVER")) or ["FOREVER"]
    return limited[0] if len(limited) == 1 else f"min({', '.join(limited)})"


def _names_in(expression: Expression) -> Iterator[Name]:
    """Yields the name of every comparison."""
    if isinstance(expression, And | Or):
        for part in expression.parts:
            yield from _names_in(part)
    elif isinstance(expression, Not):
        yield from _names_in(expression.part)
    else:
        yield expression.name
