"""Outlook: a score split into gains and losses, with the distance to thresholds.

Triggers use the distance to skip most touches instead of recomputing the score per event.
"""

import math
from typing import NamedTuple

from pipeline.score.decay import GRID


class Outlook(NamedTuple):
    """A score as points gained and points lost, both in 1/GRID."""

    gained: int
    """Sum of the positive contributions."""
    lost: int
    """Sum of the negative contributions, as a positive number."""
    contributions: int
    """Maximum number of contributions, each of which is rounded to the grid."""

    def value(self) -> float:
        """Returns the score in points."""
        return (self.gained - self.lost) / GRID

    def headroom(self, threshold: float) -> int:
        """Returns how many points can be given before the score can reach ``threshold`` at any time; rounded down.

        Lost points do not count, because they may fade.
        """
        return math.floor(threshold - (self.gained + self.contributions) / GRID)
