"""Operands for aggregates, over a window or a lifetime."""

from collections.abc import Callable
from typing import Any, Final

from pipeline.condition.operand import Kind, converted
from pipeline.profile.buckets import Cell
from pipeline.profile.fields import AMOUNT
from pipeline.profile.kinds import KINDS
from pipeline.profile.kinds.kind import MILLIONTHS
from pipeline.profile.kinds.values import TOP, UNIQUE
from pipeline.profile.rules import AggregateRule
from pipeline.segment.money import currency_of, in_minor_units
from pipeline.segment.operand import ProfileOperand, no_parts
from pipeline.segment.reading import Ago, Stepped, Total
from pipeline.segment.records import RECORDS, as_number, record
from pipeline.segment.windowed import Windowed, window_of

_NUMBERS: Final = frozenset({"count", "sum", "average", "min", "max", "distinct"})
_MOMENTS: Final[dict[tuple[str, str], Callable[[Cell], int]]] = {
    ("first", "timestamp_ms"): lambda cell: int(cell[2]),
    ("last", "timestamp_ms"): lambda cell: int(cell[2]),
    ("time_since", ""): int,
}
"""By kind and field: aggregates whose cell holds a moment, and how to read it. Their value is the time since then."""


def aggregate(rule: AggregateRule, parts: tuple[str, ...], over: str | None) -> ProfileOperand:
    """Returns the operand of ``orders over 90 d``, ``spent.EUR``, ``sessions.bounced over 30 d`` or ``last_order_at``.

    Raises:
        MeaningError: the rule does not have the part or the window.
    """
    group = ""
    if rule.field == AMOUNT:
        rest = f".{next(iter(RECORDS[rule.kind]))}" if rule.kind in RECORDS else ""
        group, parts = currency_of(rule.name, parts, rest), parts[1:]
    windowed = Windowed(rule, group, window_of(rule, over))
    if rule.kind in RECORDS:
        return record(rule, group, windowed, parts)
    moment = _MOMENTS.get((rule.kind, rule.field))
    if moment is not None:
        no_parts(rule.name, parts, "a span of time")
        return Ago(windowed, moment)
    if rule.kind in _NUMBERS:
        no_parts(rule.name, parts, "a number")
        return _number(rule, group, windowed)
    return _any(rule, group, windowed, parts)


def divisor_of(rule: AggregateRule) -> int:
    """Returns the divisor of the numbers in a rule's cells: 1, or 1,000,000 if they are stored in millionths."""
    return MILLIONTHS if KINDS[rule.kind].takes == "number" and rule.field != AMOUNT else 1


def _number(rule: AggregateRule, group: str, windowed: Windowed) -> ProfileOperand:
    of, divisor = windowed.of, divisor_of(rule)
    convert = in_minor_units(group) if group else as_number
    if of.countable:
        return Total(windowed, divisor, convert, growth="up" if rule.kind == "count" else "any")
    return Stepped("number", windowed, lambda cell: of.empty if cell is None else of.read(cell, divisor), convert)


def _any(rule: AggregateRule, group: str, windowed: Windowed, parts: tuple[str, ...]) -> ProfileOperand:
    """The operand of values as events stated them. ``parts`` is a path inside values that are objects."""
    of = windowed.of

    def value(cell: Cell | None) -> Any:
        reading = of.empty if cell is None else of.read(cell, 1)
        if rule.kind == TOP.name:
            reading = [entry["value"] for entry in reading]
        for part in parts:
            reading = reading.get(part) if type(reading) is dict else None
        return reading

    kind: Kind = "list" if rule.kind in {TOP.name, UNIQUE.name} else "any"
    return Stepped(kind, windowed, value, in_minor_units(group) if group else lambda value: converted(kind, value))
