"""The course of a score while only time passes: its value now, and when it can cross a threshold.

Gained points fade and lower the score; lost points fade and *raise* it. Each rule's share is known in closed form,
``points * weight * 2^(-steps * width / half_life)``, so a crossing is computed and not polled. Newton's method runs on
the logarithm of the fading side, while the other side keeps its value. That logarithm is convex, so no step overshoots.

* A capped sum is constant until the sum before the cap has faded to the cap.
* A score changes only at the boundaries of hours and days, so every crossing is at such a boundary.
* Weights are rounded to 2^-20 and shares to the grid. So a due time may be a little early, never late.
* After a week first replaces its days, or an occurrence is dropped, the fading side is bounded from below by the effect
  of all such changes together.
"""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.occurrences import COUNTS, DAYS_A_WEEK, WEEK_MS, Occurrences
from pipeline.profile.row import FOREVER
from pipeline.score.decay import GRID, WEIGHT, first_week
from pipeline.score.outlook import Outlook
from pipeline.score.sides import Sides

FINER: Final = WEIGHT // GRID
_MAX_STEPS: Final = 64
"""Limit of the steps of Newton's method. After that many, the moment reached so far is returned; it is early."""

Share: TypeAlias = tuple[str, int, int, int, int, int, Sequence[Occurrences]]
"""The contribution of one rule at the start of a trajectory.

(group; points per match, negative if it takes points; the rule's own cap in 1/GRID, 0 for none; weight, in 1/WEIGHT, of
the matches that age by the hour or not at all; weight of those that age by the day; half-life in ms, 0 if the points
never fade; the matched occurrences). A plain tuple, because thousands are created per second.
"""
_Term: TypeAlias = tuple[str, int, float, float, int, float, float, float]
"""A share in closed form, in 1/GRID.

(group, "" if its cap never acts; the rule's cap, 0 if it never acts; at the start, the points that age by the hour and
those that age by the day; half-life in ms; maximum rounding error; the factor by which weeks that replace their days
lower the share; the maximum that dropped occurrences can ever take from it).
"""


class Trajectory:
    """One score of one profile. ``as_of_ms`` must not be before the newest touch."""

    def __init__(self, shares: Sequence[Share], caps: Mapping[str, int], contributions: int, as_of_ms: int) -> None:
        """``caps``: the caps of groups, in 1/GRID. ``contributions``: maximum number of contributions of the score."""
        self._shares, self._caps, self._as_of_ms = shares, caps, as_of_ms
        self.outlook: Final = _outlook(shares, caps, contributions)
        self.value: Final = self.outlook.value()
        """The score at ``as_of_ms``, in points."""
        self._terms: list[_Term] = []
        self._forgotten_ms = self._weeks_ms = self._width_ms = 0

    def due_ms(self, thresholds: Collection[float]) -> int:
        """Returns a boundary after ``as_of_ms`` before which no threshold is crossed; FOREVER if none ever is."""
        gained, lost, _ = self.outlook
        value = self.value
        due_ms = FOREVER
        below = [threshold for threshold in thresholds if threshold <= value] if gained else ()
        if below:
            due_ms = self._reaches_ms(max(below), 1)
        above = [threshold for threshold in thresholds if threshold >= value] if lost else ()
        if above and self.outlook.headroom(min(above)) <= 0:
            due_ms = min(due_ms, self._reaches_ms(min(above), -1))
        return due_ms

    def _reaches_ms(self, threshold: float, sign: int) -> int:
        """Returns the boundary at which the score may first be below (sign 1) or above (sign -1) a threshold."""
        if not self._forgotten_ms:
            self._forgotten_ms, self._weeks_ms = _less_from(self._shares, self._as_of_ms)
            self._terms = _terms(self._shares, self._caps)
            self._width_ms = HOUR_MS if any(term[2] and term[4] for term in self._terms) else DAY_MS
        at_ms, limit, width_ms = self._as_of_ms, sign * threshold * GRID, self._width_ms
        less_from = (self._forgotten_ms, self._weeks_ms)
        for _ in range(_MAX_STEPS):
            sides = self._sides(at_ms, sign)
            if at_ms > self._as_of_ms and sides.can_have_reached(limit):
                return at_ms
            stays_ms = sides.stays_ms(limit, DAY_MS - at_ms % DAY_MS)
            if stays_ms >= FOREVER:
                return FOREVER
            next_ms = max(-(-(at_ms + int(stays_ms)) // width_ms), at_ms // width_ms + 1) * width_ms
            for moment_ms in less_from:
                if at_ms < moment_ms < next_ms:
                    next_ms = moment_ms
            at_ms = next_ms
        return at_ms

    def _sides(self, at_ms: int, sign: int) -> Sides:
        """Returns the gained and lost points at a moment; with sign -1 the two sides are exchanged."""
        start_ms = self._as_of_ms
        hours_ms = (at_ms // HOUR_MS - start_ms // HOUR_MS) * HOUR_MS
        days_ms = (at_ms // DAY_MS - start_ms // DAY_MS) * DAY_MS
        into_hour_ms, into_day_ms = at_ms % HOUR_MS, at_ms % DAY_MS
        whole = Sides()
        groups: dict[str, Sides] = {}
        by_week, forgets = at_ms >= self._weeks_ms, at_ms >= self._forgotten_ms
        for group, most, hourly, daily, half_life_ms, unsure, shrinks, forgotten in self._terms:
            sides = whole if not group else groups.get(group) or groups.setdefault(group, Sides())
            if not half_life_ms:
                sides.add_lasting(sign * _clamped(hourly, most))
                continue
            amount = 0.0
            if hourly:
                amount += hourly * 2.0 ** (-hours_ms / half_life_ms)
            if daily:
                amount += daily * 2.0 ** (-days_ms / half_life_ms) * (shrinks if by_week and sign * daily > 0 else 1.0)
            into_step_ms = into_day_ms if daily else into_hour_ms
            less = unsure + forgotten if forgets else unsure
            sides.add_fading(sign * amount, most, half_life_ms, into_step_ms, less, by_day=not hourly)
        for group, sides in groups.items():
            whole.join(sides, self._caps[group])
        return whole


def _terms(shares: Sequence[Share], caps: Mapping[str, int]) -> list[_Term]:
    """Returns the shares in closed form."""
    # Amounts only move towards 0, so a cap that does not act at the start never acts.
    terms: list[_Term] = []
    sums: dict[str, float] = {}
    for group, points, most, hourly, daily, half_life_ms, parts in shares:
        by_hour, by_day = points * hourly / FINER, points * daily / FINER
        amount = abs(by_hour + by_day)
        unsure = 1 + abs(points) * sum([part.total for part in parts]) / FINER
        shrinks, forgotten = 1.0, 0.0
        if half_life_ms:
            if any(part.weeks is not None for part in parts):
                shrinks = 2.0 ** ((DAY_MS - WEEK_MS) / half_life_ms)
            forgotten = (unsure - 1) * WEIGHT * 2.0 ** (-_counts_ms(parts) / half_life_ms)
        terms.append((group, most if amount > most else 0, by_hour, by_day, half_life_ms, unsure, shrinks, forgotten))
        if group:
            sums[group] = sums.get(group, 0.0) + amount
    idle = {group for group, amount in sums.items() if amount <= caps[group]}
    return [("", *term[1:]) if term[0] in idle else term for term in terms] if idle else terms


def clamp(points: int, limit: int) -> int:
    """Returns the points, limited to between ``-limit`` and ``limit``; a limit of 0 is none."""
    return max(-limit, min(limit, points)) if limit else points


def _clamped(amount: float, limit: int) -> float:
    return max(-limit, min(limit, amount)) if limit else amount


def _outlook(shares: Sequence[Share], caps: Mapping[str, int], contributions: int) -> Outlook:
    gained = lost = 0
    groups: dict[str, int] = {}
    for group, points_per_match, most, hourly, daily, _, _ in shares:
        points = points_per_match * (hourly + daily) // FINER
        if most and not -most <= points <= most:
            points = most if points > 0 else -most
        if points > 0:
            gained += points
        else:
            lost -= points
        if group:
            groups[group] = groups.get(group, 0) + points
    for group, points in groups.items():
        excess = points - clamp(points, caps[group])
        if excess > 0:
            lost += excess
        else:
            gained -= excess
    return Outlook(gained, lost, contributions)


def _counts_ms(parts: Sequence[Occurrences]) -> int:
    """Returns the minimum age, in ms, at which an occurrence stops counting."""
    if any(part.hours is not None for part in parts):
        return COUNTS["hours"] * HOUR_MS
    if any(part.weeks is None for part in parts):
        return COUNTS["days"] * DAY_MS
    return COUNTS["weeks"] * WEEK_MS


def _less_from(shares: Sequence[Share], as_of_ms: int) -> tuple[int, int]:
    """Returns (when the next occurrences stop counting, when the next week replaces its days), in ms."""
    forgotten_ms = weeks_ms = FOREVER
    hour, day, week = as_of_ms // HOUR_MS, as_of_ms // DAY_MS, as_of_ms // WEEK_MS
    for *_, half_life_ms, parts in shares:
        for part in parts if half_life_ms else ():
            if part.hours is not None:
                gone = _oldest(part.hours.at, hour - COUNTS["hours"] + 1) + COUNTS["hours"]
                forgotten_ms = min(forgotten_ms, gone * HOUR_MS)
            if part.weeks is not None:
                gone = _oldest(part.weeks.at, week - COUNTS["weeks"] + 1) + COUNTS["weeks"]
                forgotten_ms = min(forgotten_ms, gone * WEEK_MS)
                first = _oldest(part.weeks.at, first_week(day)) + 1
                weeks_ms = min(weeks_ms, (first * DAYS_A_WEEK + COUNTS["days"] - 1) * DAY_MS)
            elif part.days is not None:
                gone = _oldest(part.days.at, day - COUNTS["days"] + 1) + COUNTS["days"]
                forgotten_ms = min(forgotten_ms, gone * DAY_MS)
    return forgotten_ms, weeks_ms


def _oldest(buckets: Sequence[int], first: int) -> int:
    """Returns the oldest bucket that is not older than ``first``; FOREVER if there is none."""
    if buckets[0] >= first:
        return buckets[0]
    place = bisect_left(buckets, first)
    return buckets[place] if place < len(buckets) else FOREVER
