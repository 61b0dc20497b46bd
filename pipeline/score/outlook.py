"""Outlook: a score, and how far it is from a threshold, so that triggers need not compute it again at every touch."""

import math
from typing import NamedTuple

from pipeline.score.decay import GRID


class Outlook(NamedTuple):
    """A score, in 1/GRID, as what was gained and what was lost."""

    gained: int
    """Sum of the positive contributions."""
    lost: int
    """Sum of the negative ones, as a positive number."""
    contributions: int
    """How many there can be, each rounded to the grid."""

    def value(self) -> float:
        """The score."""
        return (self.gained - self.lost) / GRID

    def headroom(self, threshold: float) -> int:
        """Points that can still be given before the score can reach ``threshold``, at any time; never above it.

        What was taken may fade, so it is not relied on.
        """
        return math.floor(threshold - (self.gained + self.contributions) / GRID)
