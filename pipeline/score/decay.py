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
    """Weight by age in buckets, never rising; as long as an occurrence counts."""
    width_ms = WIDTH_MS[grain]
    return tuple(round(WEIGHT * exp2(-age * width_ms / half_life_ms)) for age in range(KEEP[grain]))


def weigh(parts: Sequence[Occurrences], half_life_ms: int, most: int, as_of_ms: int) -> int:
    """The weight of all occurrences at ``as_of_ms``, in 1/WEIGHT; of more than ``most`` (0: no limit) of the newest.

    ``as_of_ms`` must not be before the newest occurrence. A half-life of 0 means that nothing fades.
    """
    if half_life_ms == 0:
        total = sum([part.total for part in parts])
        return (min(total, most) if most else total) * WEIGHT
    if most:
        return _weigh_newest(parts, half_life_ms, most, as_of_ms)
    weight = 0
    for part in parts:
        if part.hours is not None:
            weight += _weigh_series(part.hours, half_life_ms, "hours", as_of_ms)
        if part.days is not None:
            weight += _weigh_series(part.days, half_life_ms, "days", as_of_ms)
    return weight


def _weigh_series(series: Series, half_life_ms: int, grain: Grain, as_of_ms: int) -> int:
    table, now = weights(half_life_ms, grain), as_of_ms // WIDTH_MS[grain]
    at = series.at
    if len(at) == 1:
        age = now - at[0]
        return series.cells[0] * table[age] if age < len(table) else 0
    if now - at[0] < len(table):
        return sum([count * table[now - bucket] for bucket, count in zip(at, series.cells, strict=True)])
    return sum(
        [c * table[now - bucket] for bucket, c in zip(at, series.cells, strict=True) if now - bucket < len(table)]
    )


def _weigh_newest(parts: Sequence[Occurrences], half_life_ms: int, most: int, as_of_ms: int) -> int:
    weighed: list[tuple[int, int]] = []
    grains: tuple[Grain, Grain] = ("hours", "days")
    for grain in grains:
        table, now = weights(half_life_ms, grain), as_of_ms // WIDTH_MS[grain]
        for part in parts:
            series: Series | None = getattr(part, grain)
            if series is not None:
                weighed += [
                    (table[now - bucket], count)
                    for bucket, count in zip(series.at, series.cells, strict=True)
                    if now - bucket < len(table)
                ]
    weight = 0
    for each, count in sorted(weighed, reverse=True):
        weight += each * min(count, most)
        most -= count
        if most <= 0:
            break
    return weight
