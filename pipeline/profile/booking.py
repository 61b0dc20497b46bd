"""Booking: the rules, compiled into a dispatch by event, so that a touch costs O(matching rules)."""

import math
from collections.abc import Callable, Mapping, Sequence
from operator import add
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from pipeline.event.number_text import number_of
from pipeline.event.zone import UTC, Zone
from pipeline.profile.buckets import Cell, Cells, Series, put, spread
from pipeline.profile.fields import AMOUNT, getter
from pipeline.profile.filter import Filter, Test
from pipeline.profile.journey.rules import OrderRules
from pipeline.profile.kinds import KINDS, kind_of
from pipeline.profile.kinds.count import COUNT
from pipeline.profile.kinds.kind import MILLIONTHS, Kind
from pipeline.profile.kinds.purchases import PURCHASES
from pipeline.profile.kinds.total import SUM
from pipeline.profile.ledger import Ledger
from pipeline.profile.messages import Touch
from pipeline.profile.occurrences import Grain, Occurrences, count
from pipeline.profile.order_booking import ROLES, OrderBooking, Role
from pipeline.profile.orders import Share
from pipeline.profile.ports import Booked, Booking
from pipeline.profile.rules import AggregateRule
from pipeline.profile.windows import window

Extract: TypeAlias = Callable[[Touch], Any]
"""Returns the value that a kind aggregates, or None if the touch has none."""
_DISPATCH_ROWS: Final = 4096
"""Event names in the cache. A flood of invented names only costs repeated searches through the rules."""
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


class _Aggregate:
    """Books one aggregate rule."""

    points: Final = 0
    sums_money = ""

    def __init__(self, rule: AggregateRule, changed_bits: ChangedBits, zone: Zone) -> None:
        kind = kind_of(rule.key.partition(":")[0])
        self.filter = rule.filter
        self.tests: tuple[Test, ...] = rule.filter.tests(zone)
        self._add, self._subtract = kind.add, kind.subtract
        self._key = rule.key
        self.changed_bits = changed_bits.of.get(rule.key, 0)
        self._by_currency = rule.field == AMOUNT
        if self._by_currency and kind in {SUM, PURCHASES}:
            self.sums_money = rule.key
        self._cell = lifter(kind, rule.field, zone)
        tiers = {w.tier for w in map(window, rule.windows) if w.tier is not None}
        self._tiers = tuple(sorted(tiers, key=lambda tier: tier.width_ms))

    def book(self, ledger: Ledger, touch: Touch) -> None:
        """Adds the touch's cell to the total and to the buckets that the rule's windows need."""
        cell = self._cell(touch)
        if cell is None:
            return
        key, join, group = self._key, self._add, touch.currency if self._by_currency else ""
        groups = ledger.aggregates.get(key)
        if groups is None:
            groups = ledger.aggregates[key] = {}
        cells = groups.get(group)
        if cells is None:
            cells = groups[group] = Cells(cell)
        else:
            cells.total = join(cells.total, cell)
        if self._tiers:
            spread(cells, cell, join, touch.timestamp_ms, self._tiers)

    def note(self, share: Share, touch: Touch) -> None:
        """Notes the touch's cell, unless the kind is an extreme or a set."""
        cell = self._cell(touch) if self._subtract is not None else None
        if cell is not None:
            noted = share.cells.get(self._key)
            share.cells[self._key] = cell if noted is None else self._add(noted, cell)


class _Count(_Aggregate):
    """Books one aggregate of kind count. A faster form of the most frequent kind, whose cells are integers."""

    def book(self, ledger: Ledger, touch: Touch) -> None:
        """Adds 1 to the total and to the buckets, without calling the kind."""
        groups = ledger.aggregates.get(self._key)
        if groups is None:
            cells = Cells(1)
            ledger.aggregates[self._key] = {"": cells}
        else:
            cells = groups[""]
            cells.total += 1
        timestamp_ms = touch.timestamp_ms
        for field, width_ms, keep in self._tiers:
            bucket = timestamp_ms // width_ms
            series: Series | None = getattr(cells, field)
            if series is None:
                setattr(cells, field, Series([bucket], [1]))
            elif series.at[-1] == bucket:
                series.cells[-1] += 1
            else:
                put(series, bucket, keep, 1, add)


class _Recent(_Aggregate):
    """Books one aggregate of a kind that has buckets and no total."""

    def book(self, ledger: Ledger, touch: Touch) -> None:
        """Adds the touch's cell to the buckets that the rule's windows need."""
        groups = ledger.aggregates.get(self._key)
        if groups is None:
            groups = ledger.aggregates[self._key] = {"": Cells(None)}
        spread(groups[""], self._cell(touch), self._add, touch.timestamp_ms, self._tiers)


class _Occurrence:
    """Books one counted rule."""

    sums_money: Final = ""

    def __init__(self, rule: CountedRule, changed_bits: ChangedBits, zone: Zone) -> None:
        self.filter = rule.filter
        self.tests: tuple[Test, ...] = rule.filter.tests(zone)
        self.points, self.changed_bits = rule.points, changed_bits.of.get(rule.key, 0)
        self._name, self._grain = rule.name, rule.grain

    def book(self, ledger: Ledger, touch: Touch) -> None:
        """Counts the match in total and in its bucket."""
        occurrences = ledger.occurrences.get(self._name)
        if occurrences is None:
            occurrences = ledger.occurrences[self._name] = Occurrences(0)
        count(occurrences, self._grain, touch.timestamp_ms)

    def note(self, share: Share, _touch: Touch) -> None:
        """Notes that the rule counted the touch."""
        share.occurrences.append(self._name)


_Step: TypeAlias = tuple[tuple[Test, ...], Callable[[Ledger, Touch], None], int, int]
"""A booking's tests, book function, points and changed bits, unpacked once instead of at every touch."""


class _OrderSteps:
    """The booking of touches that are orders, refunds or cancellations."""

    def __init__(self, booking: OrderBooking, rules: tuple[Booking, ...]) -> None:
        self.booking, self.rules = booking, rules


class Plan:
    """The compiled rules. Its only state is a cache of the rules that an event name may match."""

    def __init__(
        self,
        aggregates: Sequence[AggregateRule],
        counted: Sequence[CountedRule],
        further: Sequence[Booking] = (),
        zone: Zone = UTC,
        changed_bits: ChangedBits = NO_CHANGED_BITS,
        *,
        orders: OrderRules | None = None,
    ) -> None:
        self.changed_bits, self._orders = changed_bits, orders
        kept = (_aggregate(rule, changed_bits, zone) for rule in aggregates)
        self._rules: tuple[Booking, ...] = (
            *kept,
            *(_Occurrence(rule, changed_bits, zone) for rule in counted),
            *further,
        )
        self._dispatch: dict[tuple[str, str, str], tuple[_Step, ...] | _OrderSteps] = {}

    def book(self, ledger: Ledger, touch: Touch) -> Booked:
        """Books the touch under every matching rule. Returns what the booking may change."""
        given = taken = changed_bits = 0
        steps = self._dispatch.get((touch.channel, touch.type, touch.name))
        if steps is None:
            steps = self._matching(touch.channel, touch.type, touch.name)
        if isinstance(steps, _OrderSteps):
            return steps.booking.book(steps.rules, ledger, touch)
        for tests, book, points, bits in steps:
            for test in tests:
                if not test(touch):
                    break
            else:
                book(ledger, touch)
                changed_bits |= bits
                if points > 0:
                    given += points
                elif points < 0:
                    taken -= points
        return Booked(given, taken, changed_bits)

    def _matching(self, channel: str, kind: str, name: str) -> "tuple[_Step, ...] | _OrderSteps":
        if len(self._dispatch) >= _DISPATCH_ROWS:
            self._dispatch.clear()
        admitted = tuple(rule for rule in self._rules if rule.filter.admits(channel, kind, name))
        role = self._role(channel, kind, name)
        steps: tuple[_Step, ...] | _OrderSteps
        if self._orders is None or role is None:
            steps = tuple((rule.tests, rule.book, rule.points, rule.changed_bits) for rule in admitted)
        else:
            steps = _OrderSteps(OrderBooking(self._orders, role, self._rules, channel, kind), admitted)
        self._dispatch[channel, kind, name] = steps
        return steps

    def _role(self, channel: str, kind: str, name: str) -> Role | None:
        """Returns the role of touches of this channel, type and name for an order; None if they have none."""
        for role in ROLES:
            if self._orders is not None and getattr(self._orders, role).admits(channel, kind, name):
                return role
        return None


def _aggregate(rule: AggregateRule, changed_bits: ChangedBits, zone: Zone) -> _Aggregate:
    kind = KINDS[rule.kind]
    if kind is COUNT:
        return _Count(rule, changed_bits, zone)
    return _Aggregate(rule, changed_bits, zone) if kind.for_ever else _Recent(rule, changed_bits, zone)


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
