"""The interface of an aggregate kind: three functions over cells that form a commutative monoid."""

from collections.abc import Callable
from operator import add
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from pipeline.profile.buckets import Add, Cell

MILLIONTHS: Final = 1_000_000
"""Numbers of event fields are stored as integer millionths, so that the order of adding does not matter."""

Takes: TypeAlias = Literal["nothing", "number", "scalar", "money"]
"""The input of a kind: no field; a number in millionths or minor units; any scalar, as JSON text; or the event's money
(only the field ``amount``), in minor units by currency."""


Subtract: TypeAlias = Callable[[Cell, Cell], Cell | None]
"""Subtracts the second cell from the first into a new one. Returns None if no event is left."""


class Kind(NamedTuple):
    """One kind of aggregate. A new kind is a file with an instance, and a name in the registry."""

    name: str
    takes: Takes
    lift: Callable[[Any, int, str], Cell]
    """Makes the cell of one event from (value, event time in ms, event id)."""
    add: Add
    """Adds two cells into a new one. Commutative and associative over cells of different events."""
    read: Callable[[Cell, int], Any]
    """Reads a cell as a JSON value. The second argument is the divisor of numbers (1 for money in minor units), or for
    a ``by_moment`` kind the moment of reading in ms."""
    empty: Any
    """The value without any event."""
    lifetime_only: bool = False
    """Whether only the lifetime is allowed, because each bucket of a window would repeat the whole cell."""
    by_moment: bool = False
    """Whether the value depends on the moment of reading; ``read`` then receives ``as_of_ms``."""
    for_ever: bool = True
    """Whether a lifetime total is kept. Without one a rule cannot have the window ``lifetime``."""
    subtract: Subtract | None = None
    """Takes one event's cell out of a cell it was added to. None for extremes and sets, which one more event of the
    same values does not change."""

    @property
    def countable(self) -> bool:
        """Whether the values are counts or sums, which can be added and divided."""
        return self.add is add


def unscaled(number: int, divisor: int) -> int | float:
    """Divides a number of fractions by the divisor. Returns an integer if the result is whole."""
    whole, rest = divmod(number, divisor)
    return whole if rest == 0 else number / divisor
