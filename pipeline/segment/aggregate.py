"""Names for aggregates: what is counted, summed and remembered, over a window or a lifetime.

A bucket leaves a window at ``bucket * width + length`` exactly, so the value of a window moves in known steps.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import reduce
from operator import add, itemgetter
from typing import Any, Final

from pipeline.condition.due import FOREVER, due_growing, due_in_steps
from pipeline.condition.duration import format_duration, parse_duration
from pipeline.condition.errors import MeaningError
from pipeline.condition.operand import Check, Kind, converted, converted_span
from pipeline.condition.syntax import Value
from pipeline.event.money import exponent
from pipeline.profile.aggregates import Reader
from pipeline.profile.buckets import Cell, Cells, Series, Tier
from pipeline.profile.fields import AMOUNT
from pipeline.profile.kinds import KINDS
from pipeline.profile.kinds.kind import MILLIONTHS
from pipeline.profile.rules import AggregateRule
from pipeline.profile.windows import LIFETIME, Window, first_bucket, window
from pipeline.segment.drift import Growth
from pipeline.segment.facts import Facts
from pipeline.segment.operand import ProfileOperand

_NUMBERS: Final = frozenset({"count", "sum", "average", "min", "max", "distinct", "quantiles"})
_VALUES: Final = frozenset({"first", "last", "most_frequent", "unique"})
_PARTS: Final = {"quantiles": ("p50", "p90", "p99")}
_MOMENTS: Final[dict[tuple[str, str], Callable[[Cell], int]]] = {
    ("first", "timestamp_ms"): lambda cell: int(cell[2]),
    ("last", "timestamp_ms"): lambda cell: int(cell[2]),
    ("time_since", ""): int,
}
"""By kind and field: aggregates that hold a moment, and where in their cell. Conditions ask how long ago it was."""
_MOMENT: Final = itemgetter(0)


def aggregate(rule: AggregateRule, parts: tuple[str, ...], over: str | None) -> ProfileOperand:
    """``orders over 90 d``, ``spent.EUR``, ``basket.p90``, ``last_order_at``.

    Raises:
        MeaningError: the rule cannot answer that.
    """
    group = ""
    if rule.field == AMOUNT:
        group, parts = _currency(rule, parts), parts[1:]
    span = _window(rule, over)
    moment = _MOMENTS.get((rule.kind, rule.field))
    if moment is not None and not parts:
        return _SinceWindow(rule, group, span, moment)
    made = _Total if KINDS[rule.kind].add is add else _Number
    return made(rule, group, span, _checked(rule, parts))


def _currency(rule: AggregateRule, parts: tuple[str, ...]) -> str:
    if not parts:
        message = f"{rule.name} is money, which is kept by currency"
        raise MeaningError(message, f"write {rule.name}.EUR, for example")
    if exponent(parts[0]) is None:
        known = exponent(parts[0].upper()) is not None
        message = f"{parts[0]} is not a currency"
        raise MeaningError(message, f"write {parts[0].upper() if known else 'a code such as EUR or USD'}")
    return parts[0]


def _checked(rule: AggregateRule, parts: tuple[str, ...]) -> tuple[str, ...]:
    """The parts of a value that is a record; most are none and have no parts."""
    if rule.kind not in _NUMBERS | _VALUES:  # its value might move while no bucket leaves, and due times would be late
        message = f"{rule.name} is of kind {rule.kind}, which no condition can read"
        raise MeaningError(message, "name an aggregate of another kind")
    known = _PARTS.get(rule.kind)
    if known is None and parts and rule.kind in _NUMBERS:
        message = f"{rule.name} is a number and has no {'.'.join(parts)}"
        raise MeaningError(message, f"write {rule.name}")
    if known is not None and (len(parts) != 1 or parts[0] not in known):
        message = f"{rule.name} is {', '.join(known)}, one of which must be named"
        raise MeaningError(message, f"write {rule.name}.{known[0]}, for example")
    return parts


def _window(rule: AggregateRule, over: str | None) -> Window:
    """The window, if the rule keeps buckets that answer it exactly."""
    kept = [each for each in map(window, rule.windows) if each.tier is not None]
    spans = ", ".join(format_duration(each.length_ms) for each in kept)
    if over is None:
        if LIFETIME not in rule.windows:
            message = f"{rule.name} is not kept for a lifetime"
            raise MeaningError(message, f"write {rule.name} over one of {spans}, or add lifetime to its windows")
        return window(LIFETIME)
    found = _span(over)
    if found.tier is not None and found.tier not in {each.tier for each in kept}:
        message = f"{rule.name} is not kept in buckets that {over} could be read from"
        has = f"it is kept over {spans}" if spans else "it is kept for a lifetime only"
        raise MeaningError(message, f"add {over} to its windows in aggregates.yaml; {has}")
    return found


def _span(over: str) -> Window:
    length_ms = parse_duration(over)
    if length_ms % 1000:
        message = f"{over} is finer than windows are"
        raise MeaningError(message, "write whole minutes")
    try:
        return window(f"{length_ms // 1000}s")
    except ValueError as error:
        message = f"no window is {over} long"
        raise MeaningError(message, "write a duration from 1 min to 90 d, or leave over out for a lifetime") from error


class _Windowed:
    """Reads the cells of one rule, group and window."""

    def __init__(self, rule: AggregateRule, group: str, span: Window) -> None:
        reader, self._kind = Reader(rule), KINDS[rule.kind]
        self.keys = frozenset({reader.key})
        self._key, self._group, self._length_ms = reader.key, group, span.length_ms
        self.tier: Tier | None = span.tier

    def cell(self, facts: Facts) -> Cell | None:
        """What the window holds, None if nothing."""
        found = self.cells(facts)
        return reduce(self._kind.add, found) if found else None

    def leaving(self, facts: Facts) -> Iterator[tuple[int, Cell | None]]:
        """(moment, what the window holds from then on), each time that something leaves it."""
        rest: list[tuple[int, Cell | None]] = []
        left: Cell | None = None
        for at_ms, cell in reversed(self.held(facts)):
            if not rest or rest[-1][0] != at_ms:
                rest.append((at_ms, left))
            left = cell if left is None else self._kind.add(left, cell)
        yield from reversed(rest)

    def held(self, facts: Facts) -> list[tuple[int, Cell]]:
        """(moment of leaving, cell) of each bucket in the window, the first to leave first; a lifetime holds none."""
        tier = self.tier
        if tier is None:
            return []
        width_ms, length_ms = tier.width_ms, self._length_ms
        oldest = first_bucket(width_ms, length_ms, facts.as_of_ms)
        found: list[tuple[int, Cell]] = []
        for part in self._parts(facts):
            series: Series | None = getattr(part, tier.field)
            if series is not None:
                start = bisect_left(series.at, oldest)
                buckets = zip(series.at[start:], series.cells[start:], strict=True)
                found += [(bucket * width_ms + length_ms, cell) for bucket, cell in buckets]
        return sorted(found, key=_MOMENT)

    def cells(self, facts: Facts) -> list[Cell]:
        """The cells in the window, in no order."""
        parts, tier = self._parts(facts), self.tier
        if tier is None:
            return [part.total for part in parts]
        found: list[Cell] = []
        if parts:
            oldest = first_bucket(tier.width_ms, self._length_ms, facts.as_of_ms)
            for part in parts:
                series: Series | None = getattr(part, tier.field)
                if series is not None:
                    found += series.since(oldest)
        return found

    def _parts(self, facts: Facts) -> list[Cells]:
        key, group = self._key, self._group
        found: list[Cells] = []
        for ledger in facts.ledgers:
            groups = ledger.aggregates.get(key)
            if groups is not None and group in groups:
                found.append(groups[group])
        return found


class _Number:
    """The value of an aggregate, as its kind reads it."""

    def __init__(self, rule: AggregateRule, group: str, span: Window, parts: tuple[str, ...]) -> None:
        self.kind: Kind = "number" if rule.kind in _NUMBERS else "any"
        self._windowed = _Windowed(rule, group, span)
        self.keys = self._windowed.keys
        self.grows: dict[str, Growth] = dict.fromkeys(self.keys, "up") if rule.kind == "count" else {}
        self._of, self._parts, self._decimals = KINDS[rule.kind], parts, exponent(group) if group else None
        self._divisor = MILLIONTHS if self._of.takes == "number" and not group else 1
        self._currency = group

    def read(self, facts: Facts) -> Any:
        """None where there is none; counts and sums are 0."""
        return facts.once(self, self._read)

    def convert(self, value: Value) -> Any:
        """Money in minor units; everything else as it is written."""
        plain = converted(self.kind, value)
        if self._decimals is None:
            return plain
        minor = Decimal(repr(plain)).scaleb(self._decimals)
        if minor != int(minor):
            message = f"{plain} {self._currency} is no amount: it has more than {self._decimals} decimals"
            raise MeaningError(message, "round it")
        return int(minor)

    def until(self, facts: Facts, check: Check) -> int:
        """Exact."""
        steps = ((at_ms, self._value(cell)) for at_ms, cell in self._windowed.leaving(facts))
        return due_in_steps(check.holds, self.read(facts), steps)

    def _read(self, facts: Facts) -> Any:
        return self._value(self._windowed.cell(facts))

    def _value(self, cell: Cell | None) -> Any:
        value = self._of.empty if cell is None else self._of.read(cell, self._divisor)
        for part in self._parts:
            value = value.get(part) if type(value) is dict else None
        return value


class _Total(_Number):
    """Counts and sums, which are most of what is asked: the window is one sum, and what leaves is subtracted."""

    def read(self, facts: Facts) -> Any:
        """0 where there is none."""
        return self._value(sum(facts.once(self, self._windowed.cells)))

    def until(self, facts: Facts, check: Check) -> int:
        """Exact."""
        cells = facts.once(self, self._windowed.cells)
        if self._windowed.tier is None or not cells:
            return FOREVER
        total = sum(cells)
        if min(cells) >= 0:
            for mark in check.marks:
                if mark * self._divisor <= total:
                    break
            else:
                return FOREVER  # it only falls, away from every mark
        steps = self._falling(self._windowed.held(facts), total)
        return due_in_steps(check.holds, self._value(total), steps)

    def _falling(self, held: list[tuple[int, int]], total: int) -> Iterator[tuple[int, Any]]:
        last = len(held) - 1
        for place, (at_ms, cell) in enumerate(held):
            total -= cell
            if place == last or held[place + 1][0] != at_ms:
                yield at_ms, self._value(total)


class _SinceWindow:
    """How long ago the moment was that an aggregate holds."""

    kind: Kind = "number"

    def __init__(self, rule: AggregateRule, group: str, span: Window, moment: Callable[[Cell], int]) -> None:
        self._windowed, self._moment = _Windowed(rule, group, span), moment
        self.keys = self._windowed.keys

    def read(self, facts: Facts) -> int | None:
        """None if it has not been, or not within the window."""
        cell = facts.once(self, self._windowed.cell)
        return None if cell is None else facts.as_of_ms - self._moment(cell)

    def convert(self, value: Value) -> int:
        """Milliseconds of a duration."""
        return converted_span(value)

    def until(self, facts: Facts, check: Check) -> int:
        """Exact for a lifetime; at the latest when the next bucket leaves the window."""
        value = self.read(facts)
        if value is None:
            return FOREVER
        next_ms = next((at_ms for at_ms, _ in self._windowed.leaving(facts)), FOREVER)
        return min(next_ms, due_growing(check.holds, check.marks, value, facts.as_of_ms))
