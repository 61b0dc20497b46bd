"""Decay: occurrences in buckets, weighted by age, in integer arithmetic (only the table of weights is made of floats).

The age of an occurrence is a whole number of buckets: the bucket of ``as_of`` minus its own. In its own hour (or day)
an occurrence weighs 1. Its weight is within a factor of 2^(width/half_life) of continuous decay: 0.4 % for a half-life
of 7 days counted by the hour, 2.3 % for 30 days counted by the day. Weights are integers in units of 1/WEIGHT, so a sum
does not depend on the order of its terms.

Weeks replace the days that are too old to be counted as days. Every occurrence of a week is as old as its first day, so
a weight only falls when a week replaces its days. An occurrence weighs less than 1 % when its last bucket is dropped.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from math import exp2
from typing import Final, TypeAlias

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.buckets import Series
from pipeline.profile.occurrences import COUNTS, DAYS_A_WEEK, Grain, Occurrences

WEIGHT: Final = 1 << 20
GRID: Final = 1 << 10
"""Points are integers in units of 1/GRID. Their sums are exact as floats, in every order, up to 2^43 points."""
STEP_MS: Final[dict[Grain, int]] = {"hours": HOUR_MS, "days": DAY_MS, "weeks": DAY_MS, "total": 0}
"""The steps in which occurrences age. Those counted by the week age by the day, too."""
AGES: Final[dict[Grain, int]] = {**COUNTS, "weeks": COUNTS["weeks"] * DAYS_A_WEEK}
"""The age in steps from which an occurrence no longer counts."""

Weighed: TypeAlias = list[tuple[int, int]]
"""(weight, count) of buckets."""


@lru_cache(maxsize=256)
def weights(half_life_ms: int, grain: Grain) -> tuple[int, ...]:
    """Returns the weights, in 1/WEIGHT, by age in steps, for as long as an occurrence counts. They never increase.

    Empty without a half-life.
    """
    step_ms = STEP_MS[grain]
    return tuple(
        round(WEIGHT * exp2(-age * step_ms / half_life_ms)) for age in range(AGES[grain] if half_life_ms else 0)
    )


def first_week(day: int) -> int:
    """Returns the first week that is read from days, as of a day. Earlier weeks are read from weeks."""
    return (day - COUNTS["days"] + 1) // DAYS_A_WEEK


class Weigher:
    """Weighs the occurrences of one rule. A moment is passed as its hour and day since the epoch."""

    def __init__(self, half_life_ms: int, limit: int, grain: Grain) -> None:
        """``limit``: only the newest occurrences, up to this many, count; 0 for no limit."""
        self._fades, self._limit = half_life_ms > 0, limit
        self._hourly, self._daily = weights(half_life_ms, "hours"), weights(half_life_ms, "days")
        self._weekly = weights(half_life_ms, "weeks") if grain == "weeks" else self._daily

    def weigh(self, parts: Sequence[Occurrences], hour: int, day: int) -> tuple[int, int]:
        """Returns (weight of what ages by the hour or not at all, weight of what ages by the day), in 1/WEIGHT.

        The moment must not be before the newest occurrence.
        """
        limit = self._limit
        if limit or not self._fades:
            total = parts[0].total if len(parts) == 1 else sum([part.total for part in parts])
            if not self._fades:
                return (min(total, limit) if limit else total) * WEIGHT, 0
            if total > limit:
                return self._weigh_newest(parts, hour, day)
        hourly = daily = 0
        for part in parts:
            if part.hours is not None:
                hourly += _weigh(part.hours, self._hourly, hour)
            if part.weeks is not None:
                daily += _sum(self._weighed_by_week(part, day))
            elif part.days is not None:
                daily += _weigh(part.days, self._daily, day)
        return hourly, daily

    def _weigh_newest(self, parts: Sequence[Occurrences], hour: int, day: int) -> tuple[int, int]:
        by_hour: Weighed = []
        by_day: Weighed = []
        for part in parts:
            if part.hours is not None:
                by_hour += _weighed(part.hours, self._hourly, hour, self._limit)
            if part.weeks is not None:
                by_day += self._weighed_by_week(part, day)
            elif part.days is not None:
                by_day += _weighed(part.days, self._daily, day, self._limit)
        weights_by_step, left = [0, 0], self._limit
        weighed = [(*bucket, 0) for bucket in by_hour] + [(*bucket, 1) for bucket in by_day]
        for match_weight, count, step in sorted(weighed, reverse=True):
            weights_by_step[step] += match_weight * min(count, left)
            left -= count
            if left <= 0:
                break
        return weights_by_step[0], weights_by_step[1]

    def _weighed_by_week(self, part: Occurrences, day: int) -> Weighed:
        """Returns (weight, count) of the days from :func:`first_week` on and of the weeks before."""
        boundary, table = first_week(day), self._weekly
        known = len(table)
        weighed: Weighed = []
        if part.weeks is not None:
            for week, count in zip(part.weeks.at, part.weeks.cells, strict=True):
                if week >= boundary:
                    break
                age = day - week * DAYS_A_WEEK
                if age < known:
                    weighed.append((table[age], count))
        if part.days is not None:
            start = bisect_left(part.days.at, boundary * DAYS_A_WEEK)
            days = zip(part.days.at[start:], part.days.cells[start:], strict=True)
            weighed += [(table[day - at], count) for at, count in days]
        return weighed


def _sum(weighed: Weighed) -> int:
    return sum([match_weight * count for match_weight, count in weighed])


def _weigh(series: Series, table: Sequence[int], now: int) -> int:
    at, cells = series.at, series.cells
    if now - at[0] >= len(table):
        return _sum(_weighed(series, table, now, len(at)))
    # The oldest bucket still counts, so all do: the fast path. Most series have one bucket.
    weight: int = table[now - at[0]] * cells[0]
    for place in range(1, len(at)):
        weight += table[now - at[place]] * cells[place]
    return weight


def _weighed(series: Series, table: Sequence[int], now: int, limit: int) -> Weighed:
    """Returns (weight, count) of the newest ``limit`` buckets, without those too old to count."""
    max_age = len(table)
    newest = zip(series.at[-limit:], series.cells[-limit:], strict=True)
    return [(table[now - at], count) for at, count in newest if now - at < max_age]
