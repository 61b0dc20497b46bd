"""Decay: occurrences in buckets, weighted by age, in integer arithmetic (only the table of weights is made of floats).

The age of an occurrence is a whole number of buckets: the bucket of ``as_of`` minus its own. In its own hour (or day)
an occurrence weighs 1. Its weight is within a factor of 2^(width/half_life) of continuous decay: 0.4 % for a half-life
of 7 days counted by the hour, 2.3 % for 30 days counted by the day. Weights are integers in units of 1/WEIGHT, so a sum
does not depend on the order of its terms.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import exp2
from typing import Final

from pipeline.profile.buckets import Series
from pipeline.profile.occurrences import KEEP, WIDTH_MS, Grain, Occurrences

WEIGHT: Final = 1 << 20
GRID: Final = 1 << 10
"""Points are integers in units of 1/GRID. Their sums are exact as floats, in every order, up to 2^43 points."""


@lru_cache(maxsize=256)
def weights(half_life_ms: int, grain: Grain) -> tuple[int, ...]:
    """Returns the weights, in 1/WEIGHT, by age in buckets, for as long as an occurrence counts. They never increase.

    Empty without a half-life.
    """
    width_ms = WIDTH_MS[grain]
    return tuple(
        round(WEIGHT * exp2(-age * width_ms / half_life_ms)) for age in range(KEEP[grain] if half_life_ms else 0)
    )


class Weigher:
    """Weighs the occurrences of one rule. A moment is passed as its hour and day since the epoch."""

    def __init__(self, half_life_ms: int, limit: int) -> None:
        """``limit``: only the newest occurrences, up to this many, count; 0 for no limit."""
        self._fades, self._limit = half_life_ms > 0, limit
        self._hourly, self._daily = weights(half_life_ms, "hours"), weights(half_life_ms, "days")

    def weigh(self, parts: Sequence[Occurrences], hour: int, day: int) -> int:
        """Returns the total weight in 1/WEIGHT. The moment must not be before the newest occurrence."""
        limit = self._limit
        if limit or not self._fades:
            total = sum([part.total for part in parts])
            if not self._fades:
                return (min(total, limit) if limit else total) * WEIGHT
            if total > limit:
                return self._weigh_newest(parts, hour, day)
        weight = 0
        for part in parts:
            if part.hours is not None:
                weight += _weigh(part.hours, self._hourly, hour)
            if part.days is not None:
                weight += _weigh(part.days, self._daily, day)
        return weight

    def _weigh_newest(self, parts: Sequence[Occurrences], hour: int, day: int) -> int:
        weighed: list[tuple[int, int]] = []
        for part in parts:
            if part.hours is not None:
                weighed += _weighed(part.hours, self._hourly, hour, self._limit)
            if part.days is not None:
                weighed += _weighed(part.days, self._daily, day, self._limit)
        weight, left = 0, self._limit
        for match_weight, count in sorted(weighed, reverse=True):
            weight += match_weight * min(count, left)
            left -= count
            if left <= 0:
                break
        return weight


def _weigh(series: Series, table: Sequence[int], now: int) -> int:
    at, cells = series.at, series.cells
    weight = 0
    if now - at[0] < len(table):  # the oldest bucket still counts, so all do: the fast path
        for place, bucket in enumerate(at):
            weight += table[now - bucket] * cells[place]
    else:
        for match_weight, count in _weighed(series, table, now, len(at)):
            weight += match_weight * count
    return weight


def _weighed(series: Series, table: Sequence[int], now: int, limit: int) -> list[tuple[int, int]]:
    """Returns (weight, count) of the newest ``limit`` buckets, without those too old to count."""
    max_age = len(table)
    newest = zip(series.at[-limit:], series.cells[-limit:], strict=True)
    return [(table[now - at], count) for at, count in newest if now - at < max_age]
