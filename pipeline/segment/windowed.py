"""The cells of one aggregate in one window, and the moments at which they leave it.

A bucket leaves a window at ``bucket * width + length`` exactly, so the value of a window changes at known moments.
"""

from bisect import bisect_left
from collections.abc import Iterator
from functools import reduce
from operator import itemgetter
from typing import Final

from pipeline.condition.errors import MeaningError
from pipeline.event.duration import format_duration, parse_duration
from pipeline.profile.buckets import Cell, Cells, Series, Tier
from pipeline.profile.kinds import KINDS, kind_of
from pipeline.profile.rules import AggregateRule
from pipeline.profile.windows import LIFETIME, Window, first_bucket, window
from pipeline.segment.facts import Facts

MOMENT: Final = itemgetter(0)


class Windowed:
    """Reads the cells of one rule, group and window."""

    def __init__(self, rule: AggregateRule, group: str, span: Window) -> None:
        self.of = kind_of(rule.key.partition(":")[0])
        self.keys = frozenset({rule.key})
        self.key, self.group, self.length_ms = rule.key, group, span.length_ms
        self.tier: Tier | None = span.tier

    def cell(self, facts: Facts) -> Cell | None:
        """Returns the sum of the cells in the window; None if it is empty."""
        cells = self.cells(facts)
        return reduce(self.of.add, cells) if cells else None

    def leaving(self, facts: Facts) -> Iterator[tuple[int, Cell | None]]:
        """Yields (moment, content of the window from then on) for each moment at which buckets leave the window."""
        rest: list[tuple[int, Cell | None]] = []
        left: Cell | None = None
        for at_ms, cell in reversed(self.cells_until_expiry(facts)):
            if not rest or rest[-1][0] != at_ms:
                rest.append((at_ms, left))
            left = cell if left is None else self.of.add(left, cell)
        yield from reversed(rest)

    def cells_until_expiry(self, facts: Facts) -> list[tuple[int, Cell]]:
        """Returns (moment of leaving, cell) of each bucket in the window in order of time; empty for a lifetime."""
        tier = self.tier
        if tier is None:
            return []
        width_ms, length_ms = tier.width_ms, self.length_ms
        oldest = first_bucket(width_ms, length_ms, facts.as_of_ms)
        expiring: list[tuple[int, Cell]] = []
        for part in self._parts(facts):
            series: Series | None = getattr(part, tier.field)
            if series is not None:
                at, cells = series.at, series.cells
                if at[0] < oldest:
                    start = bisect_left(at, oldest)
                    at, cells = at[start:], cells[start:]
                expiring += [(bucket * width_ms + length_ms, cell) for bucket, cell in zip(at, cells, strict=True)]
        return expiring if len(facts.ledgers) == 1 else sorted(expiring, key=MOMENT)

    def cells(self, facts: Facts) -> list[Cell]:
        """Returns the cells in the window, in no particular order."""
        parts, tier = self._parts(facts), self.tier
        if tier is None:
            return [part.total for part in parts]
        cells_in_window: list[Cell] = []
        if parts:
            oldest = first_bucket(tier.width_ms, self.length_ms, facts.as_of_ms)
            for part in parts:
                series: Series | None = getattr(part, tier.field)
                if series is not None:
                    cells_in_window += series.since(oldest)
        return cells_in_window

    def _parts(self, facts: Facts) -> list[Cells]:
        key, group = self.key, self.group
        parts: list[Cells] = []
        for ledger in facts.ledgers:
            groups = ledger.aggregates.get(key)
            if groups is not None and group in groups:
                parts.append(groups[group])
        return parts


def window_of(rule: AggregateRule, over: str | None) -> Window:
    """Returns the window ``over``, or the lifetime if that is None.

    Raises:
        MeaningError: the rule does not keep buckets from which the window can be read exactly.
    """
    of = KINDS[rule.kind]
    kept = [kept_window for kept_window in map(window, rule.windows) if kept_window.tier is not None]
    spans = ", ".join(format_duration(kept_window.length_ms) for kept_window in kept)
    if over is None:
        if LIFETIME not in rule.windows:
            message = f"{rule.name} is not kept for a lifetime"
            instead = f"write {rule.name} over one of {spans}"
            raise MeaningError(message, f"{instead}, or add lifetime to its windows" if of.for_ever else instead)
        return window(LIFETIME)
    if of.lifetime_only:
        message = f"{rule.name} is of kind {rule.kind}, which is kept for a lifetime only"
        raise MeaningError(message, f"leave out over {over}")
    span = _span(over)
    if span.tier is not None and span.tier not in {kept_window.tier for kept_window in kept}:
        message = f"{rule.name} is not kept in buckets that {over} could be read from"
        has = f"it is kept over {spans}" if spans else "it is kept for a lifetime only"
        raise MeaningError(message, f"add {over} to its windows in aggregates.yaml; {has}")
    return span


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
