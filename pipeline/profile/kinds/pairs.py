"""Cells that are maps with integer keys: [key, value] pairs sorted by key, so that equal maps encode to equal bytes."""

from bisect import bisect_left
from collections.abc import Callable
from operator import itemgetter
from typing import Any, TypeAlias

Pairs: TypeAlias = list[list[Any]]
_KEY = itemgetter(0)


def join_pairs(one: Pairs, other: Pairs, join: Callable[[Any, Any], Any]) -> Pairs:
    """Returns the pairs of both. ``join`` makes the value of a key that is in both. Changes neither argument."""
    if len(other) == 1:  # the usual case: the cell of one event is added
        key, value = other[0]
        at = bisect_left(one, key, key=_KEY)
        pairs = one.copy()
        if at < len(one) and one[at][0] == key:
            pairs[at] = [key, join(one[at][1], value)]
        else:
            pairs.insert(at, other[0])
        return pairs
    joined: dict[int, Any] = {pair[0]: pair[1] for pair in one}
    for key, value in other:
        joined[key] = join(joined[key], value) if key in joined else value
    return sorted(map(list, joined.items()), key=_KEY)


def subtract_pairs(one: Pairs, other: Pairs, less: Callable[[Any, Any], Any | None]) -> Pairs | None:
    """Returns the pairs of ``one`` less those of ``other``. Drops a pair if ``less`` returns None for its values.

    Ignores keys that are only in ``other``. Returns None if no pair is left. Changes neither argument.
    """
    taken = {pair[0]: pair[1] for pair in other}
    rest = [[key, less(value, taken[key]) if key in taken else value] for key, value in one]
    return [pair for pair in rest if pair[1] is not None] or None
