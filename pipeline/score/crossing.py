"""Until when a score stays on its side of a threshold, if nothing but time passes.

A score is what was gained less what was lost (:class:`~pipeline.score.outlook.Outlook`), and both fade: it can fall as
points fade and *rise* as what spoke against somebody fades. Neither side fades faster than by half in the shortest
half-life of its rules, ages advance in whole buckets, and an occurrence is forgotten at a known age. So:

* ``score >= gained * d - lost`` and ``score <= gained - lost * d``, with ``d = 2^(-(time + width) / half_life)``;
* caps keep both true, for capping never moves two sums further apart;
* weights are rounded to 2^-20, so a side may be off by half a weight per point and occurrence, at both ends, and by
  one grid step per contribution;
* between two bucket boundaries nothing moves at all.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.ledger import Ledger
from pipeline.profile.occurrences import COUNTS, WEEK_MS
from pipeline.profile.row import FOREVER
from pipeline.score.decay import GRID
from pipeline.score.outlook import Outlook
from pipeline.score.rules import ScoreRule

GIVEN, TAKEN = 0, 1
_ROUNDING: Final = 1.000001
"""For the floats of this module."""


class Side(NamedTuple):
    """The rules that give points, or those that take them, as far as a profile has matched them."""

    points: int
    """Of all matches together, as a positive number."""
    half_life_ms: int
    """The shortest; FOREVER if nothing fades."""


class Aging(NamedTuple):
    """How the occurrences of a score age."""

    given: Side
    taken: Side
    narrowest_ms: int
    widest_ms: int
    """The steps in which they do; 0: nothing does. At a step a week may take the place of its days."""
    forgotten_ms: int
    """When the next one is so old that it counts no more."""


class Crossing:
    """The bounds of one score."""

    def __init__(self, rules: Sequence[ScoreRule]) -> None:
        """``rules``: those of this score."""
        self._rules = {
            rule.name: (GIVEN if rule.points > 0 else TAKEN, abs(rule.points), rule.half_life_ms) for rule in rules
        }

    def due_ms(self, outlook: Outlook, thresholds: Sequence[float], as_of_ms: int, aging: Callable[[], Aging]) -> int:
        """A bucket boundary after ``as_of_ms``, before which the score crosses none of the thresholds; FOREVER if none.

        ``aging`` is asked only if the score moves towards a threshold: :meth:`aging` of the same ledgers and moment.
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
        """How the score's occurrences age from a moment on."""
        rules, hours, days, weeks = self._rules, [], [], []
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
                    if occurrences.weeks is not None:
                        weeks.append(occurrences.weeks.at)
                    elif occurrences.days is not None:
                        days.append(occurrences.days.at)
        counted = ((HOUR_MS, COUNTS["hours"], hours), (DAY_MS, COUNTS["days"], days), (WEEK_MS, COUNTS["weeks"], weeks))
        ages_ms = [
            (width_ms, (oldest + most) * width_ms)
            for width_ms, most, buckets in counted
            if (oldest := _oldest(buckets, as_of_ms // width_ms - most + 1)) is not None
        ]
        given, taken = Side(points[GIVEN], half_lives_ms[GIVEN]), Side(points[TAKEN], half_lives_ms[TAKEN])
        if not ages_ms:
            return Aging(given, taken, 0, 0, FOREVER)
        narrowest_ms = min(ages_ms[0][0], DAY_MS)  # a week, too, ages by the day
        return Aging(given, taken, narrowest_ms, ages_ms[-1][0], min([forgotten_ms for _, forgotten_ms in ages_ms]))


def _stays_ms(outlook: Outlook, threshold: float, aging: Aging) -> int:
    """For how long the score stays on its side of the threshold; 0 on it. FOREVER: whatever fades or is forgotten."""
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
    """The oldest bucket of any series that is not older than ``first``."""
    oldest = None
    for at in series:
        bucket = at[0] if at[0] >= first else at[place] if (place := bisect_left(at, first)) < len(at) else None
        if bucket is not None and (oldest is None or bucket < oldest):
            oldest = bucket
    return oldest


def _fading_ms(amount: int, floor: float, half_life_ms: int, width_ms: int) -> int:
    """For how long what fades by half in ``half_life_ms`` stays above a floor, at least."""
    if floor <= 0 or not amount or half_life_ms >= FOREVER:
        return FOREVER
    above = amount / (floor * _ROUNDING)
    return max(0, int(half_life_ms * math.log2(above)) - width_ms) if above > 1 else 0
