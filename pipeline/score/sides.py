"""The two sides of a score at one moment, in 1/GRID: gained points, which fade or last, and lost points.

They bound how long the score stays above a limit; :mod:`pipeline.score.trajectory` uses that bound.
"""

import math
from typing import Final

import msgspec

from pipeline.profile.row import FOREVER

_SHORTER: Final = 1 - 1e-9
"""Safety factor for the floating-point errors of this module."""


class Sides(msgspec.Struct, gc=False):
    """Sums of the shares on each side. A struct, because ten are made for every decision about a score."""

    lasting: float = 0.0
    lost: float = 0.0
    unsure: float = 0.0
    fading: float = 0.0
    """Gained points that fade."""
    daily: float = 0.0
    """The part of ``fading`` that fades only at midnight."""
    ahead: float = 0.0
    """``fading`` at the end of its current step."""
    slope: float = 0.0
    """The shares of ``ahead`` over their half-lives, summed."""
    hourly: float = 0.0
    hourly_slope: float = 0.0
    """``ahead`` and ``slope`` of the points that fade by the hour."""
    hold_ms: float = math.inf
    """Minimum time in ms for which caps keep ``fading`` constant."""

    def add_lasting(self, amount: float) -> None:
        """Adds a share that does not fade."""
        if amount >= 0:
            self.lasting += amount
        else:
            self.lost -= amount

    def add_fading(
        self, amount: float, most: int, half_life_ms: int, into_step_ms: int, unsure: float, *, by_day: bool
    ) -> None:
        """Adds a share, before its rule's cap ``most``, at a time within its step. It may be too high by ``unsure``."""
        if amount <= 0:
            self.lost += min(-amount, most) if most else -amount
            self.unsure += unsure
            return
        hold_ms = 0.0
        if most and amount > most:
            hold_ms = max(0.0, half_life_ms * math.log2(amount / most) - into_step_ms)
            amount = most
        ahead = amount * 2.0 ** (-into_step_ms / half_life_ms)
        slope = ahead / half_life_ms
        self.fading += amount
        self.ahead += ahead
        self.slope += slope
        if by_day:
            self.daily += amount
        else:
            self.hourly += ahead
            self.hourly_slope += slope
        self.hold_ms = min(self.hold_ms, hold_ms)
        self.unsure += min(unsure, amount)

    def join(self, group: "Sides", cap: int) -> None:
        """Adds a group of shares with a cap."""
        scale, hold_ms = 1.0, group.hold_ms
        total = group.fading + group.lasting - group.lost
        if total > cap and not group.lost:
            scale = cap / total
            hold_ms = max(hold_ms, _falls_ms(group.ahead, group.slope, cap - group.lasting))
        elif abs(total) > cap:
            self.lost += total - math.copysign(cap, total)
        self.lasting += group.lasting * scale
        self.fading += group.fading * scale
        self.daily += group.daily * scale
        self.ahead += group.ahead * scale
        self.slope += group.slope * scale
        self.hourly += group.hourly * scale
        self.hourly_slope += group.hourly_slope * scale
        self.lost += group.lost
        self.unsure += group.unsure
        self.hold_ms = min(self.hold_ms, hold_ms)

    def can_have_reached(self, limit: float) -> bool:
        """Whether the score may be at or below the limit."""
        return self.fading + self.lasting - self.lost - self.unsure <= limit

    def stays_ms(self, limit: float, midnight_ms: int) -> float:
        """Returns the minimum time in ms that the score stays above the limit if lost points do not fade, or FOREVER.

        ``midnight_ms`` is the time until the next midnight. Until then only points that age by the hour fade.
        """
        floor = limit + self.lost + self.unsure - self.lasting
        if not self.ahead or floor <= 0:
            return FOREVER
        stays_ms = max(_falls_ms(self.ahead, self.slope, floor), self.hold_ms)
        if stays_ms < midnight_ms and self.daily:
            today_ms = _falls_ms(self.hourly, self.hourly_slope, floor - self.daily)
            stays_ms = max(stays_ms, min(today_ms, midnight_ms))
        return stays_ms


def _falls_ms(ahead: float, slope: float, floor: float) -> float:
    """Returns the minimum time in ms until fading points have fallen to a floor."""
    if floor <= 0:
        return FOREVER
    if ahead <= floor:
        return 0.0
    return _SHORTER * math.log2(ahead / floor) * ahead / slope
