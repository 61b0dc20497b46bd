"""What somebody's standing in a segment waits for, so that a booking asks only the conditions it can turn.

Who is out of a segment is kept out by one part of its condition; nothing else matters before that part may turn, by a
booking that can make it hold or by its due time. Who is in it stays until a booking that can end that, or its due time.
Both are bits: a profile keeps one for each segment, a touch brings those that its bookings can turn, and where the two
have none in common nothing is asked. Two kinds of parts ask less still: one that waits for a score to reach a mark is
asked when enough points were given for that, and one whose due time bookings can only put off, not while it has one.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from pipeline.condition.due import FOREVER
from pipeline.condition.syntax import Compare, Expression
from pipeline.score.keys import given_key
from pipeline.segment.compiled import Compiled
from pipeline.segment.drift import RISING, Drift, drift_of, joined
from pipeline.segment.score import ScoreOperand

_HITS: Final = 4096
"""Sets of bits remembered as masks."""


class Bits(NamedTuple):
    """Of one segment."""

    outside: tuple[int, ...]
    """By part, of who is kept out by it."""
    expected: tuple[int, ...]
    """The same, of who has a due time."""
    inside: int
    """Of who is in."""
    own: int
    """All of them."""


class Waiting:
    """The bits of compiled segments, and what brings them."""

    def __init__(
        self, bits: Mapping[str, Bits], by_key: Mapping[str, int], scored: int, marks: Mapping[str, frozenset[float]]
    ) -> None:
        self._bits, self._by_key = bits, by_key
        self._hits: dict[int, int] = {}
        self.scored: Final = scored
        """The bits of who waits for a score to reach a mark: to be asked once it may have."""
        self.score_marks: Final = marks
        """Those marks, by score."""

    def outside(self, name: str, part: int, due_ms: int) -> int:
        """The bit of who is kept out by a part until a due time."""
        bits = self._bits[name]
        return bits.outside[part] if due_ms >= FOREVER else bits.expected[part]

    def inside(self, name: str) -> int:
        """The bit of who is in."""
        return self._bits[name].inside

    def of(self, name: str) -> int:
        """All bits of a segment."""
        return self._bits[name].own

    def marks(self, keys: Iterable[str]) -> int:
        """The bits that bookings under these keys can turn, but for ``scored``.

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
            found = sum(1 << place for place, name in enumerate(self._bits) if hit & self.of(name))
            self._hits[hit] = found
        return found


def waiting_of(compiled: Compiled) -> Waiting:
    """The bits of compiled segments, in their order."""
    maker = _Maker(compiled)
    drifts: dict[str, Drift] = {}
    bits: dict[str, Bits] = {}
    for name in compiled.order:
        expressions = compiled.expressions[name]
        parts = [drift_of(each, compiled.operand_of, drifts) for each in expressions]
        drifts[name] = whole = joined(parts)
        pairs = [maker.part(*each) for each in zip(expressions, parts, strict=True)]
        outside, expected = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
        inside = maker.bit(whole.leave)
        bits[name] = Bits(outside, expected, inside, sum({*outside, *expected, inside}))
    return Waiting(bits, maker.by_key, maker.scored, maker.score_marks)


class _Maker:
    """Hands out bits."""

    def __init__(self, compiled: Compiled) -> None:
        self._operand_of = compiled.operand_of
        self._next = 1
        self.by_key: dict[str, int] = {}
        self.scored = 0
        self.score_marks: dict[str, frozenset[float]] = {}

    def bit(self, keys: Iterable[str]) -> int:
        """A new one, brought by bookings under some keys."""
        made, self._next = self._next, self._next << 1
        for key in keys:
            self.by_key[key] = self.by_key.get(key, 0) | made
        return made

    def part(self, expression: Expression, drift: Drift) -> tuple[int, int]:
        """The bits of a part that keeps somebody out: without a due time, and with one."""
        if not isinstance(expression, Compare):
            both = self.bit(drift.enter)
            return both, both
        operand = self._operand_of(expression.name)
        if isinstance(operand, ScoreOperand) and expression.operator in RISING:
            both = self.bit(drift.enter - {given_key(operand.name)})
            known = self.score_marks.get(operand.name, frozenset())
            self.scored |= both
            self.score_marks[operand.name] = known | {operand.convert(expression.value)}
            return both, both
        both = self.bit(drift.enter)
        if expression.operator == "=" and expression.value.value in getattr(operand, "puts_off", ()):
            return both, self.bit(drift.enter - operand.keys)
        return both, both
