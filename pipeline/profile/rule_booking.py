"""The booking of one rule: of an aggregate, or of the matches of a score rule.

This is the interpreted form, with several calls per rule. :mod:`pipeline.profile.generated_booking` writes the same
steps for all rules that a touch matches into one function.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from pipeline.event.number_text import number_of
from pipeline.event.zone import UTC, Zone
from pipeline.profile.buckets import Cell, Cells, spread
from pipeline.profile.fields import AMOUNT, getter
from pipeline.profile.filter import Filter, Test
from pipeline.profile.kinds import kind_of
from pipeline.profile.kinds.kind import MILLIONTHS, Kind
from pipeline.profile.kinds.purchases import PURCHASES
from pipeline.profile.kinds.total import SUM
from pipeline.profile.ledger import Ledger
from pipeline.profile.messages import Touch
from pipeline.profile.occurrences import Grain, Occurrences, count
from pipeline.profile.orders import Share
from pipeline.profile.rules import AggregateRule
from pipeline.profile.windows import window

Extract: TypeAlias = Callable[[Touch], Any]
"""Returns the value that a kind aggregates, or None if the touch has none."""
_MAX_NUMBER: Final = 2**53


class CountedRule(NamedTuple):
    """A rule whose matches are counted in the ledger's occurrences; score rules need these counts."""

    name: str
    filter: Filter
    grain: Grain
    points: int
    """The most points that a match adds to its score or subtracts from it."""
    key: str = ""
    """The key of the rule in :attr:`ChangedBits.of`."""


class ChangedBits(NamedTuple):
    """Bit sets of the decisions that a touch may change, as the decider numbers its decisions."""

    of: Mapping[str, int]
    """Bits by ``key`` of an aggregate or :class:`CountedRule`."""
    touch: int = 0
    """Bits of the decisions that read the newest touch's time or origin: every touch may change them."""
    traits: int = 0
    consent: int = 0
    identifiers: int = 0
    cart: int = 0


NO_CHANGED_BITS: Final = ChangedBits({})


class Aggregate:
    """Books one aggregate rule."""

    points: Final = 0
    sums_money = ""

    def __init__(self, rule: AggregateRule, changed_bits: ChangedBits, zone: Zone) -> None:
        kind = kind_of(rule.key.partition(":")[0])
        self.filter = rule.filter
        self.tests: tuple[Test, ...] = rule.filter.tests(zone)
        self.kind, self.key, self.field = kind, rule.key, rule.field
        self.changed_bits = changed_bits.of.get(rule.key, 0)
        self.by_currency = rule.field == AMOUNT
        if self.by_currency and kind in {SUM, PURCHASES}:
            self.sums_money = rule.key
        self.extract: Extract | None = None if kind.takes == "nothing" else extractor(kind, rule.field, zone)
        """Reads the value that the kind takes; None if it takes none."""
        self._cell = lifter(kind, rule.field, zone)
        tiers = {w.tier for w in map(window, rule.windows) if w.tier is not None}
        self.tiers = tuple(sorted(tiers, key=lambda tier: tier.width_ms))

    def book(self, ledger: Ledger, touch: Touch) -> None:
        """Adds the touch's cell to the total and to the buckets that the rule's windows need."""
        cell = self._cell(touch)
        if cell is None:
            return
        join, group = self.kind.add, touch.currency if self.by_currency else ""
        groups = ledger.aggregates.get(self.key)
        if groups is None:
            groups = ledger.aggregates[self.key] = {}
        cells = groups.get(group)
        if cells is None:
            cells = groups[group] = Cells(cell if self.kind.for_ever else None)
        elif self.kind.for_ever:
            cells.total = join(cells.total, cell)
        spread(cells, cell, join, touch.timestamp_ms, self.tiers)

    def note(self, share: Share, touch: Touch) -> None:
        """Notes the touch's cell, unless the kind is an extreme or a set."""
        cell = self._cell(touch) if self.kind.subtract is not None else None
        if cell is not None:
            noted = share.cells.get(self.key)
            share.cells[self.key] = cell if noted is None else self.kind.add(noted, cell)


class Occurrence:
    """Books one counted rule."""

    sums_money: Final = ""

    def __init__(self, rule: CountedRule, changed_bits: ChangedBits, zone: Zone) -> None:
        self.filter = rule.filter
        self.tests: tuple[Test, ...] = rule.filter.tests(zone)
        self.points, self.changed_bits = rule.points, changed_bits.of.get(rule.key, 0)
        self.name, self.grain = rule.name, rule.grain

    def book(self, ledger: Ledger, touch: Touch) -> None:
        """Counts the match in total and in its bucket."""
        occurrences = ledger.occurrences.get(self.name)
        if occurrences is None:
            occurrences = ledger.occurrences[self.name] = Occurrences(0)
        count(occurrences, self.grain, touch.timestamp_ms)

    def note(self, share: Share, _touch: Touch) -> None:
        """Notes that the rule counted the touch."""
        share.occurrences.append(self.name)


def lifter(kind: Kind, field: str, zone: Zone = UTC) -> Callable[[Touch], Cell | None]:
    """Returns the function that makes a kind's cell from a touch, or None if the touch has no value."""
    lift = kind.lift
    if kind.takes == "nothing":
        return lambda touch: lift(None, touch.timestamp_ms, touch.event_id)
    extract = extractor(kind, field, zone)

    def cell_of(touch: Touch) -> Cell | None:
        value = extract(touch)
        return None if value is None else lift(value, touch.timestamp_ms, touch.event_id)

    return cell_of


def extractor(kind: Kind, field: str, zone: Zone = UTC) -> Extract:
    """Returns the function that reads a kind's value: numbers as integers, scalars as JSON text, else None."""
    read = getter(field, zone)
    if field == AMOUNT and kind.takes in {"number", "money"}:
        return read
    return _number(read) if kind.takes == "number" else _scalar(read)


def _number(read: Extract) -> Extract:
    def extract(touch: Touch) -> int | None:
        value = number_of(read(touch))
        if value is None or not math.isfinite(value) or abs(value) > _MAX_NUMBER:
            return None
        millionths: int = round(value * MILLIONTHS)
        return millionths

    return extract


def _scalar(read: Extract) -> Extract:
    def extract(touch: Touch) -> str | None:
        value = read(touch)
        return msgspec.json.encode(value).decode() if type(value) in (str, int, float, bool) else None

    return extract
