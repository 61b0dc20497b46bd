"""Outlook: bounds on where a score can go, so that triggers need not compute it again at every touch."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from pipeline.profile.duration import DAY_MS
from pipeline.profile.occurrences import WIDTH_MS
from pipeline.profile.row import FOREVER
from pipeline.score.decay import GRID
from pipeline.score.rules import ScoreRule

_SLACK: Final = 1.01
"""Covers the rounding of weights."""
_NEVER_MS: Final = 1 << 50


class Rate(NamedTuple):
    """How fast a score can fall."""

    rules: int
    """How many contributions there can be, each rounded to the grid."""
    half_life_ms: int
    """The shortest of the rules that give points."""
    step_ms: int
    """The widest bucket in which occurrences age."""
    beat_ms: int
    """The narrowest bucket of all rules that fade: at its boundaries alone the score changes. 0: it never does."""


def rate_of(rules: Sequence[ScoreRule]) -> Rate:
    """The rate of a score's rules."""
    fading = [rule for rule in rules if rule.points > 0 and rule.half_life_ms]
    return Rate(
        len(rules) + 1,
        min([rule.half_life_ms for rule in fading], default=_NEVER_MS),
        max([WIDTH_MS[rule.grain] for rule in fading], default=0),
        min([WIDTH_MS[rule.grain] for rule in rules if rule.half_life_ms], default=0),
    )


class Outlook(NamedTuple):
    """A score, in 1/GRID, and how it may change. Bounds err to the safe side, by less than they save."""

    gained: int
    """Sum of the positive contributions."""
    lost: int
    """Sum of the negative ones, as a positive number."""
    rate: Rate

    def value(self) -> float:
        """The score."""
        return (self.gained - self.lost) / GRID

    def headroom(self, mark: float) -> int:
        """Points that can still be given before the score can reach ``mark``, however much time passes; never above it.

        What was taken may fade, so it is not relied on.
        """
        return math.floor(mark - (self.gained + self.rate.rules) / GRID)

    def stays_above_ms(self, mark: float) -> int:
        """For how long the score cannot fall below ``mark``, unless points are taken; at most a day at a time.

        The day is for occurrences that count no more at all, which is not decay.
        """
        floor = (self.lost + self.rate.rules) / GRID + mark
        above = self.gained / GRID / (floor * _SLACK)
        if above <= 1:
            return 0
        return max(0, min(DAY_MS, int(self.rate.half_life_ms * math.log2(above)) - self.rate.step_ms))

    def may_fall_ms(self, mark: float, as_of_ms: int) -> int:
        """The first moment after ``as_of_ms`` at which time alone may have brought the score below ``mark``."""
        return self._beat(as_of_ms + self.stays_above_ms(mark), as_of_ms) if self.gained else FOREVER

    def may_reach_ms(self, mark: float, as_of_ms: int) -> int:
        """The first moment at which time alone may have brought the score up to ``mark``, as what was taken fades."""
        if not self.lost or (self.gained + self.rate.rules) / GRID < mark:
            return FOREVER
        return self._beat(as_of_ms, as_of_ms)

    def _beat(self, not_before_ms: int, as_of_ms: int) -> int:
        """The first boundary after ``as_of_ms``, and not before the other moment, at which the score can change."""
        beat_ms = self.rate.beat_ms
        if not beat_ms:
            return FOREVER
        return max(-(-not_before_ms // beat_ms), as_of_ms // beat_ms + 1) * beat_ms
