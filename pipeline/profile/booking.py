"""Booking: the rules, compiled into one function by channel, type and event name, so that a touch costs one call."""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from pipeline.event.model import CHANNELS, TYPES
from pipeline.event.zone import UTC, Zone
from pipeline.profile.filter import KindTest
from pipeline.profile.generated_booking import Book, Step, generated
from pipeline.profile.journey.rules import OrderRules
from pipeline.profile.ledger import Ledger
from pipeline.profile.messages import Touch
from pipeline.profile.order_booking import COMPLETED, ROLES, OrderBooking, Record, Role, book_rules
from pipeline.profile.ports import Booked, Booking
from pipeline.profile.rule_booking import NO_CHANGED_BITS, Aggregate, ChangedBits, CountedRule, Occurrence
from pipeline.profile.rules import AggregateRule

_DISPATCH_ROWS: Final = 4096
"""Event names in the cache. A flood of invented names only costs repeated searches through the rules: names that match
the same rules share one function."""


class _Matching(NamedTuple):
    """The rules that touches of one channel, type and name may match."""

    rules: tuple[Booking, ...]
    steps: tuple[Step, ...]
    """Those that they can match, with the tests that are left once channel, type and name are known."""
    role: Role | None
    """The role of the touches for an order, if any."""


class Plan:
    """The compiled rules. Its only state is a cache of the functions by event name."""

    def __init__(
        self,
        aggregates: Sequence[AggregateRule],
        counted: Sequence[CountedRule],
        further: Sequence[Booking] = (),
        zone: Zone = UTC,
        changed_bits: ChangedBits = NO_CHANGED_BITS,
        *,
        orders: OrderRules | None = None,
        interpret: bool = False,
    ) -> None:
        """``interpret``: books rule by rule. Generated functions must give the same results."""
        self.changed_bits, self._orders, self._interpret = changed_bits, orders, interpret
        self._rules: tuple[Booking, ...] = (
            *(Aggregate(rule, changed_bits, zone) for rule in aggregates),
            *(Occurrence(rule, changed_bits, zone) for rule in counted),
            *further,
        )
        self._dispatch: dict[tuple[str, str, str], Book] = {}
        self._functions: dict[tuple[_Matching, str, str], Book] = {}

    def book(self, ledger: Ledger, touch: Touch) -> Booked:
        """Books the touch under every matching rule. Returns what the booking, and any touch, may change."""
        book = self._dispatch.get((touch.channel, touch.type, touch.name))
        if book is None:
            book = self._function(touch.channel, touch.type, touch.name)
        return book(ledger, touch)

    def sources(self) -> dict[str, list[str]]:
        """Returns the source of every function for the event names in the rules, with the touches that it books.

        Touches are named by channel, type and event name. Names that no rule has share the functions of ``...``.
        """
        filters = [rule.filter for rule in self._rules]
        if self._orders is not None:
            filters += [getattr(self._orders, role) for role in ROLES]
        names = sorted({name for filter_ in filters for name in filter_.events})
        kinds = [("track", name) for name in (*names, "...")] + [(kind, "") for kind in TYPES if kind != "track"]
        sources: dict[str, list[str]] = {}
        for kind, name in kinds:
            for channel in CHANNELS:
                _, steps, role = self._matching(channel, kind, name)
                if role not in {None, COMPLETED}:
                    continue  # refunds are rare: their rules are read as data
                bits = 0 if role == COMPLETED else self.changed_bits.touch
                source = generated(steps, channel, kind, bits, with_share=role == COMPLETED)[1]
                sources.setdefault(source, []).append(f"{channel} {kind} {name}".rstrip())
        return sources

    def _function(self, channel: str, kind: str, name: str) -> Book:
        if len(self._dispatch) >= _DISPATCH_ROWS:
            self._dispatch.clear()
            self._functions.clear()
        matching = self._matching(channel, kind, name)
        function = self._functions.get((matching, channel, kind))
        if function is None:
            function = self._functions[matching, channel, kind] = self._generated(matching, channel, kind)
        self._dispatch[channel, kind, name] = function
        return function

    def _generated(self, matching: _Matching, channel: str, kind: str) -> Book:
        rules, steps, role = matching
        if role is None:
            touch_bits = self.changed_bits.touch
            if self._interpret:
                return partial(_interpreted, rules, touch_bits)
            return generated(steps, channel, kind, touch_bits)[0]
        is_generated = role == COMPLETED and not self._interpret
        record = generated(steps, channel, kind, 0, with_share=True)[0] if is_generated else None
        return self._order_booking(matching, channel, kind, record).book

    def _order_booking(
        self, matching: _Matching, channel: str, kind: str, record: Record | None = None
    ) -> OrderBooking:
        rules, _, role = matching
        if self._orders is None or role is None:
            msg = "only touches with a role for an order are booked as one"
            raise AssertionError(msg)
        return OrderBooking(
            self._orders,
            role,
            self._rules,
            rules,
            channel=channel,
            kind=kind,
            changed_bits=self.changed_bits.touch,
            record=record,
        )

    def _matching(self, channel: str, kind: str, name: str) -> _Matching:
        rules = tuple(rule for rule in self._rules if rule.filter.admits(channel, kind, name))
        steps = [step for rule in rules if (step := _step(rule, channel, kind, name))]
        return _Matching(rules, tuple(steps), self._role(channel, kind, name))

    def _role(self, channel: str, kind: str, name: str) -> Role | None:
        """Returns the role of touches of this channel, type and name for an order; None if they have none."""
        for role in ROLES:
            if self._orders is not None and getattr(self._orders, role).admits(channel, kind, name):
                return role
        return None


def _interpreted(rules: Sequence[Booking], touch_bits: int, ledger: Ledger, touch: Touch) -> Booked:
    given, taken, changed_bits, _ = book_rules(rules, ledger, touch)
    return Booked(given, taken, changed_bits | touch_bits)


def _step(rule: Booking, channel: str, kind: str, name: str) -> Step | None:
    """Returns the rule with the tests of content; None if a test of channel, type or name fails."""
    if not all(test.holds(channel, kind, name) for test in rule.tests if isinstance(test, KindTest)):
        return None
    return Step(rule, tuple(test for test in rule.tests if not isinstance(test, KindTest)))
