"""What somebody's standing in a segment waits for, so that a booking asks only the conditions it can turn.

Who is out of a segment is kept out by one part of its condition; nothing else matters before that part may turn, by a
booking that can make it hold or by its due time. Who is in it stays until a booking that can end that, or its due time.
Both are bits: a profile keeps one for each segment, a touch brings those that its bookings can turn, and where the two
have none in common nothing is asked.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from pipeline.segment.compiled import Compiled
from pipeline.segment.drift import Drift, drift_of, joined

_HITS: Final = 4096
"""Sets of bits remembered as masks."""


class Waiting:
    """The bits: of each segment one for every part that can keep somebody out, then one for being in it."""

    def __init__(self, first: Mapping[str, int], parts: Mapping[str, int], by_key: Mapping[str, int]) -> None:
        """``first``: the number of each segment's first bit; ``parts``: how many parts it has."""
        self._first, self._parts, self._by_key = first, parts, by_key
        self._hits: dict[int, int] = {}

    def outside(self, name: str, part: int) -> int:
        """The bit of who is kept out by a part."""
        return 1 << (self._first[name] + part)

    def inside(self, name: str) -> int:
        """The bit of who is in."""
        return 1 << (self._first[name] + self._parts[name])

    def of(self, name: str) -> int:
        """All bits of a segment."""
        return ((2 << self._parts[name]) - 1) << self._first[name]

    def marks(self, keys: Iterable[str]) -> int:
        """The bits that bookings under these keys can turn.

        Keys are ``key`` of aggregate rules, those of :mod:`pipeline.score.keys`, ``traits``, ``consent``,
        ``identifiers``, ``cart``, and ``touch``, which stands for any touch at all. Others turn nothing.
        """
        found = 0
        for key in keys:
            found |= self._by_key.get(key, 0)
        return found

    def mask(self, hit: int) -> int:
        """The mask of the segments that some bits belong to."""
        found = self._hits.get(hit)
        if found is None:
            if len(self._hits) >= _HITS:
                self._hits.clear()
            found = sum(1 << place for place, name in enumerate(self._first) if hit & self.of(name))
            self._hits[hit] = found
        return found


def waiting_of(compiled: Compiled) -> Waiting:
    """The bits of compiled segments, in their order."""
    first: dict[str, int] = {}
    by_key: dict[str, int] = {}
    drifts: dict[str, Drift] = {}
    bits = 0
    for name in compiled.order:
        first[name] = bits
        parts = [drift_of(each, compiled.operand_of, drifts) for each in compiled.expressions[name]]
        drifts[name] = whole = joined(parts)
        for each in [*[part.enter for part in parts], whole.leave]:
            for key in each:
                by_key[key] = by_key.get(key, 0) | 1 << bits
            bits += 1
    return Waiting(first, {name: len(compiled.parts[name]) for name in compiled.order}, by_key)
