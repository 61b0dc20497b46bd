"""What a kind of aggregate is: three functions over cells that form a commutative monoid."""

from collections.abc import Callable
from operator import add
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from pipeline.profile.buckets import Add, Cell

MILLIONTHS: Final = 1_000_000
"""Numbers from event fields are kept as integers of this fraction, so that adding them has no order."""

Takes: TypeAlias = Literal["nothing", "number", "scalar", "money"]
"""What a kind needs of an event: no field; a number, given in millionths or minor units; any scalar, as JSON text; the
event's money, which is the field ``amount`` and nothing else, in minor units by currency."""


class Kind(NamedTuple):
    """One kind of aggregate. A new one is a file with one of these, and its name in the registry."""

    name: str
    takes: Takes
    lift: Callable[[Any, int, str], Cell]
    """(value, event time in ms, event id) of one event to its cell."""
    add: Add
    """Two cells to a new one: commutative and associative over cells of different events."""
    read: Callable[[Cell, int], Any]
    """A cell to a JSON value; the second argument is the divisor of numbers (1 for money in minor units), or the moment
    of reading where the kind is ``by_moment``."""
    empty: Any
    """What is read where there is no event."""
    lifetime_only: bool = False
    """Whether the cell orders itself by time, so that windows of it would keep everything again in every bucket."""
    by_moment: bool = False
    """Whether the value depends on when it is read: ``read`` is then given ``as_of_ms``."""
    for_ever: bool = True
    """Whether a total over all time is kept. Without one a rule cannot have the window ``lifetime``."""

    @property
    def countable(self) -> bool:
        """Whether the values are numbers of events or sums, which can be added up and divided."""
        return self.add is add


def unscaled(number: int, divisor: int) -> int | float:
    """An integer number of fractions as the number people wrote: whole where it is whole."""
    whole, rest = divmod(number, divisor)
    return whole if rest == 0 else number / divisor
