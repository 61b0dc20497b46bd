"""Lower bounds for the time until a score crosses a threshold, if nothing but time passes.

A score is points gained minus points lost (:class:`~pipeline.score.outlook.Outlook`). Both sides fade, so a score falls
as gained points fade and *rises* as lost points fade. No side fades faster than the shortest half-life of its rules.
Ages advance in whole buckets, and an occurrence is dropped at a known age. Therefore:

* ``score >= gained * d - lost`` and ``score <= gained - lost * d``, with ``d = 2^(-(time + width) / half_life)``;
* caps preserve both bounds, because capping never increases the distance between two sums;
* weights are rounded to 2^-20, so a side may be off by half a weight per point and occurrence, at both ends, and by
  one grid step per contribution;
* a score is constant between two bucket boundaries.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.ledger import Ledger
from pipeline.profile.occurrences import KEEP
from pipeline.profile.row import FOREVER
from pipeline.score.decay import GRID
from pipeline.score.outlook import Outlook
from pipeline.score.rules import ScoreRule

GIVEN, TAKEN = 0, 1
_ROUNDING: Final = 1.000001
"""Safety factor for the floating-point errors of this module."""


class Side(NamedTuple):
    """One side of a score, given or taken: the rules of that side that a profile has matched."""

    points: int
    """Sum over all matches without decay, as a positive number."""
    half_life_ms: int
    """The shortest half-life of the rules; FOREVER if none fades."""


class Aging(NamedTuple):
    """How the occurrences of a score age."""

    given: Side
    taken: Side
    narrowest_ms: int
    """Width of the narrowest buckets; 0 if no occurrence ages."""
    widest_ms: int
    """Width of the widest buckets; 0 if no occurrence ages."""
    forgotten_ms: int
    """The moment when the oldest occurrence becomes too old to count."""


class Crossing:
    """The bounds of one score."""

    def __init__(self, rules: Sequence[ScoreRule]) -> None:
        """``rules`` are the rules of this score."""
        self._rules = {
            rule.name: (GIVEN if rule.points > 0 else TAKEN, abs(rule.points), rule.half_life_ms) for rule in rules
        }

    def due_ms(self, outlook: Outlook, thresholds: Sequence[float], as_of_ms: int, aging: Callable[[], Aging]) -> int:
        """Returns a moment after ``as_of_ms`` before which the score crosses no threshold; FOREVER if it never does.

        The moment is a bucket boundary. ``aging`` returns :meth:`aging` of the same ledgers and moment; it is called
        only if the score moves towards a threshold.
        """
        value = outlook.value()
        if not (outlook.gained and min(thresholds, default=value) <= value) and not (
            outlook.lost and max(thresholds, default=value) >= value
        ):
            return FOREVER  # it moves only away from every threshold
        ages = aging()
        if not ages.narrowest_ms:
            return FOREVER
        stays_ms = min([_stays_ms(outlook, threshold, ages) for threshold in thresholds], default=FOREVER)
        if stays_ms >= FOREVER:
            return FOREVER
        width_ms = ages.narrowest_ms
        next_ms = (as_of_ms // width_ms + 1) * width_ms
        due_ms = -(-(as_of_ms + stays_ms) // width_ms) * width_ms
        return min(max(next_ms, due_ms), ages.forgotten_ms)

    def aging(self, ledgers: Sequence[Ledger], as_of_ms: int) -> Aging:
        """Returns how the score's occurrences age from a moment on."""
        rules, hours, days = self._rules, [], []
        points, half_lives_ms = [0, 0], [FOREVER, FOREVER]
        for ledger in ledgers:
            for name, occurrences in ledger.occurrences.items():
                rule = rules.get(name)
                if rule is None:
                    continue
                side, points_per_match, half_life_ms = rule
                points[side] += points_per_match * occurrences.total
                if half_life_ms:
                    half_lives_ms[side] = min(half_lives_ms[side], half_life_ms)
                    if occurrences.hours is not None:
                        hours.append(occurrences.hours.at)
                    if occurrences.days is not None:
                        days.append(occurrences.days.at)
        ages_ms = [
            (width_ms, (oldest + keep) * width_ms)
            for width_ms, keep, buckets in ((HOUR_MS, KEEP["hours"], hours), (DAY_MS, KEEP["days"], days))
            if (oldest := _oldest(buckets, as_of_ms // width_ms - keep + 1)) is not None
        ]
        given, taken = Side(points[GIVEN], half_lives_ms[GIVEN]), Side(points[TAKEN], half_lives_ms[TAKEN])
        if not ages_ms:
            return Aging(given, taken, 0, 0, FOREVER)
        return Aging(given, taken, ages_ms[0][0], ages_ms[-1][0], min([forgotten_ms for _, forgotten_ms in ages_ms]))


def _stays_ms(outlook: Outlook, threshold: float, aging: Aging) -> int:
    """Returns for how long, in ms, the score stays on its side of the threshold by fading alone; 0 if it is on it.

    FOREVER if fading cannot bring it there.
    """
    value, contributions = outlook.value(), outlook.contributions
    at = threshold * GRID
    if value > threshold:
        side = aging.given
        floor = outlook.lost + math.floor(at) + 1 + side.points / GRID + contributions
        return _fading_ms(outlook.gained, floor, side.half_life_ms, aging.widest_ms)
    if value < threshold:
        side = aging.taken
        floor = outlook.gained - at + side.points / GRID + contributions
        return _fading_ms(outlook.lost, floor, side.half_life_ms, aging.widest_ms)
    return 0


def _oldest(series: list[list[int]], first: int) -> int | None:
    """Returns the oldest bucket of all series that is not older than ``first``; None if there is none."""
    oldest = None
    for at in series:
        bucket = at[0] if at[0] >= first else at[place] if (place := bisect_left(at, first)) < len(at) else None
        if bucket is not None and (oldest is None or bucket < oldest):
            oldest = bucket
    return oldest


def _fading_ms(amount: int, floor: float, half_life_ms: int, width_ms: int) -> int:
    """Returns the minimum time, in ms, for which an amount with this half-life stays above a floor."""
    if floor <= 0 or not amount or half_life_ms >= FOREVER:
        return FOREVER
    above = amount / (floor * _ROUNDING)
    return max(0, int(half_life_ms * math.log2(above)) - width_ms) if above > 1 else 0
