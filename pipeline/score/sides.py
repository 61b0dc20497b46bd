"""The two sides of a score at one moment, in 1/GRID: what is gained, which fades or lasts, and what is lost.

From them follows for how long the score stays above a limit, at least: see :mod:`pipeline.score.trajectory`.
"""

import math
from typing import Final

from pipeline.event.duration import DAY_MS
from pipeline.profile.row import FOREVER

_SHORTER: Final = 1 - 1e-9
"""For the floats of this module."""


class Sides:
    """Sums of shares."""

    __slots__ = ("ahead", "fading", "hold_ms", "lasting", "lost", "slope", "unsure", "width_ms")

    def __init__(self) -> None:
        self.lasting = self.lost = self.unsure = 0.0
        self.fading = 0.0
        """What is gained and fades."""
        self.ahead = self.slope = 0.0
        """The same at the end of the step under way, and how fast it fades: the sum of each share by its half-life."""
        self.hold_ms = math.inf
        """All that is gained and fades is held down by caps, and stays as it is for at least as long."""
        self.width_ms = DAY_MS
        """The narrowest step."""

    def add_lasting(self, amount: float) -> None:
        """Add a share that does not fade."""
        if amount >= 0:
            self.lasting += amount
        else:
            self.lost -= amount

    def add_fading(self, amount: float, most: int, half_life_ms: int, into_step_ms: int, unsure: float) -> None:
        """Add a share, before its rule's cap, some time into its step. It may be less by ``unsure``."""
        if amount <= 0:
            self.lost += min(-amount, most) if most else -amount
            self.unsure += unsure
            return
        hold_ms = 0.0
        if most and amount > most:
            hold_ms = max(0.0, half_life_ms * math.log2(amount / most) - into_step_ms)
            amount = most
        ahead = amount * 2.0 ** (-into_step_ms / half_life_ms)
        self.fading += amount
        self.ahead += ahead
        self.slope += ahead / half_life_ms
        self.hold_ms = min(self.hold_ms, hold_ms)
        self.unsure += min(amount, unsure)

    def join(self, group: "Sides", cap: int) -> None:
        """Add a group of shares with a cap."""
        scale, hold_ms = 1.0, group.hold_ms
        total = group.fading + group.lasting - group.lost
        if total > cap and not group.lost:
            scale = cap / total
            hold_ms = max(hold_ms, group.falls_ms(cap - group.lasting))
        elif abs(total) > cap:
            self.lost += total - math.copysign(cap, total)
        self.fading += group.fading * scale
        self.lasting += group.lasting * scale
        self.ahead += group.ahead * scale
        self.slope += group.slope * scale
        self.lost += group.lost
        self.unsure += group.unsure
        self.hold_ms = min(self.hold_ms, hold_ms)
        self.width_ms = min(self.width_ms, group.width_ms)

    def can_have_reached(self, limit: float) -> bool:
        """Whether the score may be at the limit or below it."""
        return self.fading + self.lasting - self.lost - self.unsure <= limit

    def stays_ms(self, limit: float) -> float:
        """For how long the score is not below the limit, at least, while what is lost stays; FOREVER: for good."""
        floor = limit + self.lost + self.unsure - self.lasting
        if not self.ahead or floor <= 0:
            return FOREVER
        return max(self.falls_ms(floor), self.hold_ms)

    def falls_ms(self, floor: float) -> float:
        """How long what fades takes to fall to a floor, at least."""
        if floor <= 0:
            return FOREVER
        if self.ahead <= floor:
            return 0.0
        return _SHORTER * math.log2(self.ahead / floor) * self.ahead / self.slope
