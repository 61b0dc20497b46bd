"""Watch bits: which bookings can change a profile's segments, so that a touch evaluates only those segments.

A profile is outside a segment because some part of the condition is false. Until that part can become true, by a
booking or at its due time, no other part matters. A profile inside a segment stays until a booking can make the
condition false, or until its due time.

Bits encode both cases. A profile stores one bit per segment. A touch carries the bits that its bookings can affect. If
the two have no bit in common, no segment is evaluated. Two kinds of parts are evaluated even less often:

* a part that waits for a score to reach a threshold: only after enough points were given for that;
* a part whose due time bookings can only postpone: not before that due time.
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
"""Cached masks by set of bits."""


class Bits(NamedTuple):
    """The bits of one segment."""

    outside: tuple[int, ...]
    """Bit per condition part that excludes the profile, without a due time."""
    outside_until_due: tuple[int, ...]
    """Bit per condition part that excludes the profile, while it has a due time."""
    inside: int
    """Bit set while the profile is a member."""
    all_bits: int
    """All of these bits."""


class WatchBits:
    """The bits of compiled segments, and the booking keys that set them."""

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
        """The bits of parts that wait for a score to reach a threshold. They are affected once a score may have."""
        self.score_thresholds: Final = score_thresholds
        """Those thresholds, by score."""
        self.first_touch_mask: Final = first_touch_mask
        """The mask of the segments that the first touch can change, or give a due time, whatever their bits."""

    def while_outside(self, name: str, part: int, due_ms: int) -> int:
        """Returns the bit of a profile that a part of the condition excludes until a due time."""
        bits = self._bits[name]
        return bits.outside[part] if due_ms >= FOREVER else bits.outside_until_due[part]

    def while_inside(self, name: str) -> int:
        """Returns the bit of a member."""
        return self._bits[name].inside

    def all_bits(self, name: str) -> int:
        """Returns all bits of a segment."""
        return self._bits[name].all_bits

    def bits_of_keys(self, keys: Iterable[str]) -> int:
        """Returns the bits that bookings under these keys affect, without ``score_bits``.

        A key is the ``key`` of an aggregate rule, one of :mod:`pipeline.score.keys`, ``traits``, ``consent``,
        ``identifiers``, ``cart``, or ``touch``, which every touch books. Other keys have no bits.
        """
        bits = 0
        for key in keys:
            bits |= self._by_key.get(key, 0)
        return bits

    def mask_of_bits(self, bits: int) -> int:
        """Returns the mask of the segments that the bits belong to."""
        mask = self._masks.get(bits)
        if mask is None:
            if len(self._masks) >= _MAX_MASKS:
                self._masks.clear()
            mask = sum(1 << place for place, name in enumerate(self._bits) if bits & self.all_bits(name))
            self._masks[bits] = mask
        return mask


def watch_bits_of(compiled: Compiled) -> WatchBits:
    """Allocates the bits of compiled segments, in their order."""
    allocator = _BitAllocator(compiled)
    drifts: dict[str, Drift] = {}
    bits: dict[str, Bits] = {}
    for name in compiled.order:
        expressions = compiled.expressions[name]
        parts = [drift_of(expression, compiled.operand_of, drifts) for expression in expressions]
        drifts[name] = drift = union(parts)
        bit_pairs = [allocator.part(*part) for part in zip(expressions, parts, strict=True)]
        outside, until_due = tuple(pair[0] for pair in bit_pairs), tuple(pair[1] for pair in bit_pairs)
        inside = allocator.bit(drift.leave)
        bits[name] = Bits(outside, until_due, inside, sum({*outside, *until_due, inside}))
    first_touch = _last_touch_readers(compiled)
    mask = sum(1 << place for place, name in enumerate(compiled.order) if name in first_touch)
    return WatchBits(bits, allocator.by_key, allocator.score_bits, allocator.score_thresholds, mask)


def _last_touch_readers(compiled: Compiled) -> set[str]:
    """Returns the segments that read the time since the last touch, directly or through another segment.

    A touch only shortens a known time (:mod:`pipeline.segment.drift`), but that of an empty profile is unknown. The
    first touch makes it known, which changes the result and the due time of every comparison with it.
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
    """Allocates bits and records the booking keys that set them."""

    def __init__(self, compiled: Compiled) -> None:
        self._operand_of = compiled.operand_of
        self._next = 1
        self.by_key: dict[str, int] = {}
        self.score_bits = 0
        self.score_thresholds: dict[str, frozenset[float]] = {}

    def bit(self, keys: Iterable[str]) -> int:
        """Returns a new bit that bookings under these keys set."""
        bit, self._next = self._next, self._next << 1
        for key in keys:
            self.by_key[key] = self.by_key.get(key, 0) | bit
        return bit

    def part(self, expression: Expression, drift: Drift) -> tuple[int, int]:
        """Returns the bits of a part that excludes a profile: (without a due time, with one)."""
        if not isinstance(expression, Compare):
            both = self.bit(drift.enter)
            return both, both
        operand = self._operand_of(expression.name)
        if isinstance(operand, ScoreOperand) and expression.operator in RISING:
            both = self.bit(drift.enter - {given_key(operand.name)})
            # Given points do not set the bit: the profile's headroom shows when they may have reached the threshold.
            thresholds = self.score_thresholds.get(operand.name, frozenset())
            self.score_bits |= both
            self.score_thresholds[operand.name] = thresholds | {operand.convert(expression.value)}
            return both, both
        both = self.bit(drift.enter)
        if expression.operator == "=" and expression.value.value in getattr(operand, "puts_off", ()):
            return both, self.bit(drift.enter - operand.keys)
        return both, both
