"""Decay: occurrences in buckets, weighed by their age. Integers throughout; the only float made here is in a table.

The age of an occurrence is a whole number of buckets: the bucket ``as_of`` lies in less its own. Within its own hour
(or day) it weighs 1; its weight is within a factor of 2^(width/half_life) of continuous decay: 0.4 % for 7 days by the
hour, 2.3 % for 30 days by the day. Weights are integers of 1/WEIGHT, so that adding them has no order.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import exp2
from typing import Final

from pipeline.profile.buckets import Series
from pipeline.profile.occurrences import KEEP, WIDTH_MS, Grain, Occurrences

WEIGHT: Final = 1 << 20
GRID: Final = 1 << 10
"""Points are whole numbers of 1/GRID: sums of them are exact in floats, in every order, up to 2^43 points."""


@lru_cache(maxsize=256)
def weights(half_life_ms: int, grain: Grain) -> tuple[int, ...]:
    """Weight by age in buckets, never rising; as long as an occurrence counts. None without a half-life."""
    width_ms = WIDTH_MS[grain]
    return tuple(
        round(WEIGHT * exp2(-age * width_ms / half_life_ms)) for age in range(KEEP[grain] if half_life_ms else 0)
    )


class Weigher:
    """Weighs the occurrences of one rule. The moment is given as the hour and the day it lies in."""

    def __init__(self, half_life_ms: int, limit: int) -> None:
        self._fades, self._most = half_life_ms > 0, limit
        self._hourly, self._daily = weights(half_life_ms, "hours"), weights(half_life_ms, "days")

    def weigh(self, parts: Sequence[Occurrences], hour: int, day: int) -> int:
        """In 1/WEIGHT; of more than ``most`` (0: no limit) of the newest. Not for a moment before the newest."""
        limit = self._most
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
                weighed += _weighed(part.hours, self._hourly, hour, self._most)
            if part.days is not None:
                weighed += _weighed(part.days, self._daily, day, self._most)
        weight, left = 0, self._most
        for match_weight, count in sorted(weighed, reverse=True):
            weight += match_weight * min(count, left)
            left -= count
            if left <= 0:
                break
        return weight


def _weigh(series: Series, table: Sequence[int], now: int) -> int:
    at, cells = series.at, series.cells
    weight = 0
    if now - at[0] < len(table):
        for place, bucket in enumerate(at):
            weight += table[now - bucket] * cells[place]
    else:
        for match_weight, count in _weighed(series, table, now, len(at)):
            weight += match_weight * count
    return weight


def _weighed(series: Series, table: Sequence[int], now: int, limit: int) -> list[tuple[int, int]]:
    """(weight, count) of the newest buckets that still count, ``most`` of them at most."""
    known = len(table)
    newest = zip(series.at[-limit:], series.cells[-limit:], strict=True)
    return [(table[now - at], count) for at, count in newest if now - at < known]
