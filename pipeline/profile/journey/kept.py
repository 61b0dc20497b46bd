"""What a ledger keeps of carts and journeys. Both are commutative monoids, like everything in a ledger."""

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

    The order in which events are booked, or ledgers merged, does not matter. What is kept is a function of the set of
    events: the newest purchase P is a maximum, and the lines are the newest 50 of those behind P. A line that was let
    go for an earlier purchase lies before P as well. A line let go because of 50 newer ones is not among the newest 50
    behind P either: if P lies behind the line it does not count, and if P lies before it, so do none of the 50.
    """

    bought: Place = ""
    """The place behind the newest purchase; "" if nothing was bought."""
    lines: list[Line] = []
    """Oldest first."""

    def buy(self, bought: Place) -> None:
        """A purchase, in place: what was put in the cart before it is the cart's no more."""
        if bought > self.bought:
            self.bought = bought
            del self.lines[: bisect_right(self.lines, bought)]

    def put(self, line: Line) -> None:
        """An item event, in place."""
        if line > self.bought:
            keep_newest(self.lines, line, ITEM_LINES)


class Journey(msgspec.Struct, array_like=True, gc=False):
    """Marketing touches, conversions and what the ads cost."""

    touches: list[Line] = []
    """The oldest 10 and the newest 40 arrivals, oldest first: how they came, and what led to what they did of late."""
    conversions: list[Line] = []
    """The newest 20, oldest first."""
    costs: Pairs = []
    """[hash, [JSON text of campaign, channel, source and currency, millionths of the currency's unit]] pairs.

    **At most 64, those of the smallest hashes** (see :mod:`pipeline.profile.kinds.values`): each is summed exactly, and
    of a customer who was shown ads of more than 64 campaigns the others' costs are missing from every report.
    """


def merge_carts(one: CartLog | None, other: CartLog | None) -> CartLog | None:
    """The cart log of two disjoint histories. Neither argument is changed."""
    if one is None or other is None:
        return one or other
    bought = max(one.bought, other.bought)
    lines = sorted(one.lines + other.lines)
    return CartLog(bought, lines[bisect_right(lines, bought) :][-ITEM_LINES:])


def merge_journeys(one: Journey | None, other: Journey | None) -> Journey | None:
    """The journey of two disjoint histories. Neither argument is changed."""
    if one is None or other is None:
        return one or other
    return Journey(
        ends_of(first_of_half_hours(sorted(one.touches + other.touches)), OLDEST_TOUCHES, NEWEST_TOUCHES),
        sorted(one.conversions + other.conversions)[-CONVERSIONS:],
        UNIQUE.add(one.costs, other.costs),
    )
