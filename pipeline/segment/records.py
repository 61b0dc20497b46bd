"""Operands for aggregates whose value is a record: sessions, purchases, quantiles. A condition names one part of it."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from pipeline.condition.due import FOREVER, due_in_steps
from pipeline.condition.errors import MeaningError
from pipeline.condition.operand import Check, Kind, converted, converted_span
from pipeline.condition.syntax import Value
from pipeline.event.duration import DAY_MS
from pipeline.profile.buckets import Cell
from pipeline.profile.kinds.kind import MILLIONTHS
from pipeline.profile.kinds.purchases import Purchases, purchases_of
from pipeline.profile.rules import AggregateRule
from pipeline.segment.facts import Facts
from pipeline.segment.money import in_minor_units
from pipeline.segment.operand import ProfileOperand
from pipeline.segment.reading import Ago, Stepped
from pipeline.segment.windowed import Windowed

Convert: TypeAlias = Callable[[Value], Any]
Part: TypeAlias = Callable[[AggregateRule, str, Windowed], ProfileOperand]
"""(rule, group, window) to the operand of one part."""


def record(rule: AggregateRule, group: str, windowed: Windowed, parts: tuple[str, ...]) -> ProfileOperand:
    """Returns the operand of ``sessions.bounced over 30 d``, ``purchases.EUR.orders`` or ``basket.p90``.

    Raises:
        MeaningError: the part is missing or unknown.
    """
    known = RECORDS[rule.kind]
    if len(parts) != 1 or parts[0] not in known:
        name = f"{rule.name}.{group}" if group else rule.name
        message = f"{name} has the parts {', '.join(known)}, one of which must be named"
        raise MeaningError(message, f"write {name}.{next(iter(known))}, for example")
    return known[parts[0]](rule, group, windowed)


class SessionOpen:
    """Whether the newest session is open: the gap since its last event has not passed yet."""

    kind: Kind = "truth"

    def __init__(self, rule: AggregateRule, _group: str, windowed: Windowed) -> None:
        self.keys = windowed.keys
        self._windowed, self._gap_ms = windowed, rule.gap_ms

    def read(self, facts: Facts) -> bool:
        """Returns whether it is open; false without a session in the window."""
        return facts.as_of_ms < self._ends_ms(facts)

    def convert(self, value: Value) -> bool:
        """Returns the literal's truth value."""
        return bool(converted("truth", value))

    def until(self, facts: Facts, check: Check) -> int:
        """Returns the exact due time."""
        ends_ms = self._ends_ms(facts)
        return due_in_steps(check.holds, True, [(ends_ms, False)]) if facts.as_of_ms < ends_ms else FOREVER

    def _ends_ms(self, facts: Facts) -> int:
        """Returns when the gap has passed, or when the session leaves the window if that is earlier; 0: no session."""
        expiring = facts.once(self, self._windowed.cells_until_expiry)
        if not expiring:
            return 0
        leaves_ms, _ = expiring[-1]
        last_ms: int = max(cell[-1][1] for at_ms, cell in expiring if at_ms == leaves_ms)
        return int(min(leaves_ms, last_ms + self._gap_ms + 1))


def _of_sessions(name: str, convert: Convert) -> Part:
    def value(windowed: Windowed) -> Callable[[Cell | None], Any]:
        of = windowed.of
        return lambda cell: of.empty[name] if cell is None else of.read(cell, 0)[name]

    return lambda _rule, _group, windowed: Stepped("number", windowed, value(windowed), convert)


def _of_purchases(name: str) -> Callable[[Cell | None], int]:
    def value(cell: Cell | None) -> int:
        purchases = None if cell is None else purchases_of(cell)
        return 0 if purchases is None else int(getattr(purchases, name))

    return value


def _day_of(name: str) -> Callable[[Cell], int | None]:
    """Returns a function that reads a purchase day as its first moment, UTC, in ms."""

    def moment(cell: Cell) -> int | None:
        purchases: Purchases | None = purchases_of(cell)
        return None if purchases is None else int(getattr(purchases, name)) * DAY_MS

    return moment


def _days(name: str) -> Part:
    return lambda _rule, _group, windowed: Ago(windowed, _day_of(name))


def _orders(name: str) -> Part:
    return lambda _rule, _group, windowed: Stepped("number", windowed, _of_purchases(name), as_number)


def _money(name: str) -> Part:
    value = _of_purchases(name)
    return lambda _rule, group, windowed: Stepped("number", windowed, value, in_minor_units(group))


def _quantile(name: str) -> Part:
    def part(_rule: AggregateRule, group: str, windowed: Windowed) -> ProfileOperand:
        of, divisor = windowed.of, 1 if group else MILLIONTHS
        convert = in_minor_units(group) if group else as_number
        return Stepped("number", windowed, lambda cell: None if cell is None else of.read(cell, divisor)[name], convert)

    return part


def as_number(value: Value) -> Any:
    """Returns a literal's number. Raises MeaningError if it is not a number."""
    return converted("number", value)


RECORDS: Final[dict[str, dict[str, Part]]] = {
    "quantiles": {name: _quantile(name) for name in ("p50", "p90", "p99")},
    "sessions": {
        "sessions": _of_sessions("sessions", as_number),
        "events": _of_sessions("events", as_number),
        "bounced": _of_sessions("bounced", as_number),
        "duration": _of_sessions("duration_ms", converted_span),
        "longest": _of_sessions("longest_ms", converted_span),
        "last_start": lambda _rule, _group, windowed: Ago(windowed, lambda runs: int(runs[-1][0])),
        "last_end": lambda _rule, _group, windowed: Ago(windowed, lambda runs: int(runs[-1][1])),
        "open": SessionOpen,
    },
    "purchases": {
        "orders": _orders("orders"),
        "days": _orders("days"),
        "total": _money("total_minor"),
        "repeat": _money("repeat_minor"),
        "first_day": _days("first_day"),
        "last_day": _days("last_day"),
    },
}
"""The operands by kind and part. Durations, and times since a moment, are compared with durations."""
