"""Sharing the credit for a conversion among the touches that led to it, in whole parts that sum to the whole exactly.

The models are those of the field: first and last touch, linear, time decay (exponential, by a half-life) and by
position (first and last get their share, those between the rest).
"""

from collections.abc import Callable, Sequence
from typing import Final

from pipeline.profile.journey.rules import AttributionRules

WHOLE: Final = 1_000_000
"""Credit is given in millionths of a conversion."""
_FINE: Final = 1 << 40

Weigh = Callable[[Sequence[int], AttributionRules], list[int]]
"""Event times of the touches, oldest first and at least one, to a weight each; not all are 0."""


def distribute(whole: int, weights: Sequence[int]) -> list[int]:
    """Whole parts of ``whole`` in proportion to the weights, summing to it exactly: the method of largest remainders.

    Of equal remainders the earlier one is served first. A negative whole is shared as its opposite is.
    """
    total, amount = sum(weights), abs(whole)
    parts = [amount * weight // total for weight in weights]
    left = amount - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda at: (-(amount * weights[at] % total), at))
    for at in by_remainder[:left]:
        parts[at] += 1
    return parts if whole >= 0 else [-part for part in parts]


def _first(times_ms: Sequence[int], _rules: AttributionRules) -> list[int]:
    return [1] + [0] * (len(times_ms) - 1)


def _last(times_ms: Sequence[int], _rules: AttributionRules) -> list[int]:
    return [0] * (len(times_ms) - 1) + [1]


def _linear(times_ms: Sequence[int], _rules: AttributionRules) -> list[int]:
    return [1] * len(times_ms)


def _time_decay(times_ms: Sequence[int], rules: AttributionRules) -> list[int]:
    """By age at the newest touch, not at the conversion: the proportions are the same, and one weight is never 0."""
    newest_ms = times_ms[-1]
    return [round(_FINE * 2.0 ** ((at_ms - newest_ms) / rules.half_life_ms)) for at_ms in times_ms]


def _position(times_ms: Sequence[int], rules: AttributionRules) -> list[int]:
    """Without touches between, their share goes to the ends in proportion to theirs."""
    first, last, between = rules.first_percent, rules.last_percent, len(times_ms) - 2
    if between == -1:
        return [1]
    if between == 0:
        return [first, last] if first + last else [1, 1]
    return [first * between, *([100 - first - last] * between), last * between]


MODELS: Final[dict[str, Weigh]] = {
    "first": _first, "last": _last, "linear": _linear, "time_decay": _time_decay, "position": _position,
}  # fmt: skip
