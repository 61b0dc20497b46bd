"""Attribution models: distribute the credit for a conversion among its touches in integers that sum exactly.

The models are the usual ones: first and last touch, linear, time decay (exponential, with a half-life) and by position
(first and last touch get fixed shares, the touches between them the rest).
"""

from collections.abc import Callable, Sequence
from typing import Final

from pipeline.profile.journey.rules import AttributionRules

WHOLE: Final = 1_000_000
"""The credit for one conversion, in millionths."""
_FINE: Final = 1 << 40

Weigh = Callable[[Sequence[int], AttributionRules], list[int]]
"""Returns a weight for each touch, not all 0, from the event times of at least one touch, oldest first."""


def distribute(whole: int, weights: Sequence[int]) -> list[int]:
    """Divides ``whole`` in proportion to the weights into integers that sum to it: the largest-remainder method.

    The earlier of two equal remainders comes first. A negative whole is divided like its absolute value.
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
    """Weighs by age relative to the newest touch. Relative to the conversion, all weights could round to 0."""
    newest_ms = times_ms[-1]
    return [round(_FINE * 2.0 ** ((at_ms - newest_ms) / rules.half_life_ms)) for at_ms in times_ms]


def _position(times_ms: Sequence[int], rules: AttributionRules) -> list[int]:
    """Weighs by position. Without touches in between, their share goes to first and last in proportion."""
    first, last, between = rules.first_percent, rules.last_percent, len(times_ms) - 2
    if between == -1:
        return [1]
    if between == 0:
        return [first, last] if first + last else [1, 1]
    return [first * between, *([100 - first - last] * between), last * between]


MODELS: Final[dict[str, Weigh]] = {
    "first": _first, "last": _last, "linear": _linear, "time_decay": _time_decay, "position": _position,
}  # fmt: skip
