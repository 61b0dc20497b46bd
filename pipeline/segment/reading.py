"""Operands over the window of an aggregate: values that change in steps, totals, and the time since a moment."""

import math
from collections.abc import Callable
from typing import Any

from pipeline.condition.due import FOREVER, due_growing, due_in_steps
from pipeline.condition.operand import Check, Kind, converted_span
from pipeline.condition.syntax import Value
from pipeline.profile.buckets import Cell
from pipeline.segment.drift import Growth
from pipeline.segment.facts import Facts
from pipeline.segment.windowed import Windowed


class Stepped:
    """A value that depends on the content of the window only."""

    def __init__(
        self, kind: Kind, windowed: Windowed, value: Callable[[Cell | None], Any], convert: Callable[[Value], Any]
    ) -> None:
        """``value`` maps the content of the window, None if it is empty, to the operand's value."""
        self.kind, self.keys, self.convert = kind, windowed.keys, convert
        self._windowed, self._value = windowed, value

    def read(self, facts: Facts) -> Any:
        """Returns the value."""
        return facts.once(self, self._read)

    def until(self, facts: Facts, check: Check) -> int:
        """Returns the exact due time."""
        steps = ((at_ms, self._value(cell)) for at_ms, cell in self._windowed.leaving(facts))
        return due_in_steps(check.holds, self.read(facts), steps)

    def _read(self, facts: Facts) -> Any:
        return self._value(self._windowed.cell(facts))


class Total:
    """A count or sum. As an optimisation for these most common kinds, cells that leave the window are subtracted."""

    kind: Kind = "number"

    def __init__(
        self, windowed: Windowed, divisor: int, convert: Callable[[Value], Any], growth: Growth = "any"
    ) -> None:
        """``growth``: the direction in which bookings can move the total."""
        self.keys, self.convert = windowed.keys, convert
        self.grows: dict[str, Growth] = dict.fromkeys(windowed.keys, growth)
        self.windowed, self.divisor = windowed, divisor
        self.counts = growth == "up"
        """Whether the cells are counts: at least 1."""

    def read(self, facts: Facts) -> Any:
        """Returns the total; 0 for an empty window."""
        return self._value(sum(facts.once(self, self.windowed.cells)))

    def until(self, facts: Facts, check: Check) -> int:
        """Returns the exact due time."""
        expiring, holds = self.windowed.cells_until_expiry(facts), check.holds
        if not expiring:
            return FOREVER
        cells = [cell for _, cell in expiring]
        total, unchanged_above = sum(cells), math.inf
        if min(cells) >= 0:  # so the total can only fall, and nothing changes before it reaches the next threshold
            reached = [threshold for threshold in check.thresholds if threshold * self.divisor <= total]
            if not reached:
                return FOREVER
            unchanged_above = max(reached) * self.divisor + 1  # one more, for rounding
        now = holds(self._value(total))
        for place, (at_ms, cell) in enumerate(expiring, 1):
            total -= cell
            if total > unchanged_above:
                continue
            if place < len(expiring) and expiring[place][0] == at_ms:
                continue  # the same bucket in another ledger leaves with it
            if holds(self._value(total)) != now:
                return at_ms
        return FOREVER

    def _value(self, total: int) -> Any:
        return self.windowed.of.read(total, self.divisor)


class Ago:
    """The time since the moment in a window, in ms. It is compared with durations."""

    kind: Kind = "number"

    def __init__(self, windowed: Windowed, moment: Callable[[Cell], int | None]) -> None:
        """``moment`` returns the moment in ms from the content of the window; None if it contains none."""
        self.keys = windowed.keys
        self.windowed, self._moment = windowed, moment

    def read(self, facts: Facts) -> int | None:
        """Returns the time since the moment in ms; None if there is none in the window."""
        cell = facts.once(self, self.windowed.cell)
        at_ms = None if cell is None else self._moment(cell)
        return None if at_ms is None else facts.as_of_ms - at_ms

    def convert(self, value: Value) -> int:
        """Returns a duration literal in milliseconds."""
        return converted_span(value)

    def until(self, facts: Facts, check: Check) -> int:
        """Returns the due time: exact over a lifetime; over a window, at the latest when the next bucket leaves it."""
        value = self.read(facts)
        if value is None:
            return FOREVER
        next_ms = next((at_ms for at_ms, _ in self.windowed.leaving(facts)), FOREVER)
        return min(next_ms, due_growing(check.holds, check.thresholds, value, facts.as_of_ms))
