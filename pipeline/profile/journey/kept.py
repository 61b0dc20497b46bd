"""The parts of a ledger for carts and journeys. Both are commutative monoids, like every part of a ledger."""

from bisect import bisect_right
from typing import Final

import msgspec

from pipeline.profile.journey.arrivals import first_of_half_hours
from pipeline.profile.journey.lines import Line, Place, ends_of, keep_newest
from pipeline.profile.kinds.pairs import Pairs
from pipeline.profile.kinds.values import UNIQUE

ITEM_LINES: Final = 50
OLDEST_TOUCHES: Final = 10
NEWEST_TOUCHES: Final = 40
CONVERSIONS: Final = 20


class CartLog(msgspec.Struct, array_like=True, gc=False):
    """The newest purchase, and the newest 50 item events after it.

    The content is a function of the set of events, whatever the order of booking and merging. The newest purchase P is
    a maximum, and the lines are the newest 50 after P. A line dropped because of an earlier purchase is before P too. A
    line dropped because of 50 newer lines is never among the newest 50 after P: either P is after the line, or the line
    and the 50 newer ones are all after P.
    """

    bought: Place = ""
    """The place after the newest purchase; "" without a purchase."""
    lines: list[Line] = []
    """Oldest first."""

    def buy(self, bought: Place) -> None:
        """Books a purchase, in place. Drops the lines before it."""
        if bought > self.bought:
            self.bought = bought
            del self.lines[: bisect_right(self.lines, bought)]

    def put(self, line: Line) -> None:
        """Books an item event, in place."""
        if line > self.bought:
            keep_newest(self.lines, line, ITEM_LINES)


class Journey(msgspec.Struct, array_like=True, gc=False):
    """Marketing touches, conversions and ad costs."""

    touches: list[Line] = []
    """The oldest 10 and the newest 40 arrivals, oldest first: the acquisition and the recent touches."""
    conversions: list[Line] = []
    """The newest 20 conversions, oldest first."""
    costs: Pairs = []
    """[hash, [JSON text of campaign, channel, source and currency, millionths of the currency's unit]] pairs.

    **At most 64 pairs, those of the smallest hashes** (see :mod:`pipeline.profile.kinds.values`). Each sum is exact. If
    a customer saw ads of more than 64 campaigns, every report lacks the costs of the others.
    """


def merge_carts(one: CartLog | None, other: CartLog | None) -> CartLog | None:
    """Returns the cart log of two disjoint histories. Changes neither argument."""
    if one is None or other is None:
        return one or other
    bought = max(one.bought, other.bought)
    lines = sorted(one.lines + other.lines)
    return CartLog(bought, lines[bisect_right(lines, bought) :][-ITEM_LINES:])


def merge_journeys(one: Journey | None, other: Journey | None) -> Journey | None:
    """Returns the journey of two disjoint histories. Changes neither argument."""
    if one is None or other is None:
        return one or other
    return Journey(
        ends_of(first_of_half_hours(sorted(one.touches + other.touches)), OLDEST_TOUCHES, NEWEST_TOUCHES),
        sorted(one.conversions + other.conversions)[-CONVERSIONS:],
        UNIQUE.add(one.costs, other.costs),
    )
