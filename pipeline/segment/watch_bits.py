"""What somebody's segment state in a segment waits for, so that a booking asks only the conditions it can turn.

Who is out of a segment is kept out by one part of its condition; nothing else matters before that part may turn, by a
booking that can make it hold or by its due time. Who is in it stays until a booking that can end that, or its due time.
Both are bits: a profile keeps one for each segment, a touch brings those that its bookings can turn, and where the two
have none in common nothing is asked. Two kinds of parts ask less still: one that waits for a score to reach a threshold
is asked when enough points were given for that, and one whose due time bookings can only put off, not while it has one.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from pipeline.condition.compiler import Read
from pipeline.condition.due import FOREVER
from pipeline.condition.syntax import Compare, Expression
from pipeline.score.keys import given_key
from pipeline.segment.compiled import Compiled
from pipeline.segment.drift import RISING, Drift, drift_of, union
from pipeline.segment.person import TOUCH
from pipeline.segment.score import ScoreOperand

_MAX_MASKS: Final = 4096
"""Sets of bits remembered as masks."""


class Bits(NamedTuple):
    """Of one segment."""

    outside: tuple[int, ...]
    """By part, of who is kept out by it."""
    outside_until_due: tuple[int, ...]
    """The same, of who has a due time."""
    inside: int
    """Of who is in."""
    all_bits: int
    """All of them."""


class WatchBits:
    """The bits of compiled segments, and what brings them."""

    def __init__(
        self,
        bits: Mapping[str, Bits],
        by_key: Mapping[str, int],
        scored: int,
        score_thresholds: Mapping[str, frozenset[float]],
        first_touch_mask: int,
    ) -> None:
        self._bits, self._by_key = bits, by_key
        self._masks: dict[int, int] = {}
        self.score_bits: Final = scored
        """The bits of who waits for a score to reach a threshold: to be asked once it may have."""
        self.score_thresholds: Final = score_thresholds
        """Those thresholds, by score."""
        self.first_touch_mask: Final = first_touch_mask
        """The mask of the segments that the first touch can turn, or give a due time, whatever their bits."""

    def while_outside(self, name: str, part: int, due_ms: int) -> int:
        """The bit of who is kept out by a part until a due time."""
        bits = self._bits[name]
        return bits.outside[part] if due_ms >= FOREVER else bits.outside_until_due[part]

    def while_inside(self, name: str) -> int:
        """The bit of who is in."""
        return self._bits[name].inside

    def all_bits(self, name: str) -> int:
        """All bits of a segment."""
        return self._bits[name].all_bits

    def bits_of_keys(self, keys: Iterable[str]) -> int:
        """The bits that bookings under these keys can turn, but for ``scored``.

        Keys are ``key`` of aggregate rules, those of :mod:`pipeline.score.keys`, ``traits``, ``consent``,
        ``identifiers``, ``cart``, and ``touch``, which stands for any touch at all. Others turn nothing.
        """
        bits = 0
        for key in keys:
            bits |= self._by_key.get(key, 0)
        return bits

    def mask_of_bits(self, bits: int) -> int:
        """The mask of the segments that some bits belong to."""
        mask = self._masks.get(bits)
        if mask is None:
            if len(self._masks) >= _MAX_MASKS:
                self._masks.clear()
            mask = sum(1 << place for place, name in enumerate(self._bits) if bits & self.all_bits(name))
            self._masks[bits] = mask
        return mask


def watch_bits_of(compiled: Compiled) -> WatchBits:
    """The bits of compiled segments, in their order."""
    maker = _BitAllocator(compiled)
    drifts: dict[str, Drift] = {}
    bits: dict[str, Bits] = {}
    for name in compiled.order:
        expressions = compiled.expressions[name]
        parts = [drift_of(expression, compiled.operand_of, drifts) for expression in expressions]
        drifts[name] = whole = union(parts)
        bit_pairs = [maker.part(*expression) for expression in zip(expressions, parts, strict=True)]
        outside, expected = tuple(pair[0] for pair in bit_pairs), tuple(pair[1] for pair in bit_pairs)
        inside = maker.bit(whole.leave)
        bits[name] = Bits(outside, expected, inside, sum({*outside, *expected, inside}))
    first_touch = _read_last_touch(compiled)
    mask = sum(1 << place for place, name in enumerate(compiled.order) if name in first_touch)
    return WatchBits(bits, maker.by_key, maker.score_bits, maker.score_thresholds, mask)


def _read_last_touch(compiled: Compiled) -> set[str]:
    """The segments that read how long ago the last touch was, themselves or through another segment.

    A touch only brings a known moment nearer (:mod:`pipeline.segment.drift`), but an empty profile's is unknown: the
    first touch makes it known, and every comparison with it gets another value and a due time.
    """
    names: set[str] = set()
    for name in compiled.order:
        for path, window in frozenset[Read]().union(*[part.reads for part in compiled.parts[name]]):
            if path[0] == "segment":
                reads = ".".join(path[1:]) in names
            else:
                reads = getattr(compiled.vocabulary.resolve(path, window), "grows", {}).get(TOUCH) == "down"
            if reads:
                names.add(name)
    return names


class _BitAllocator:
    """Hands out bits."""

    def __init__(self, compiled: Compiled) -> None:
        self._operand_of = compiled.operand_of
        self._next = 1
        self.by_key: dict[str, int] = {}
        self.score_bits = 0
        self.score_thresholds: dict[str, frozenset[float]] = {}

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
            known = self.score_thresholds.get(operand.name, frozenset())
            self.score_bits |= both
            self.score_thresholds[operand.name] = known | {operand.convert(expression.value)}
            return both, both
        both = self.bit(drift.enter)
        if expression.operator == "=" and expression.value.value in getattr(operand, "puts_off", ()):
            return both, self.bit(drift.enter - operand.keys)
        return both, both
