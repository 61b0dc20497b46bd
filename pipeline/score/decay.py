"""Decay: occurrences in buckets, faded to a moment. Floats begin here, and only here."""

from collections.abc import Mapping, Sequence
from math import exp2, fsum
from typing import Final

from pipeline.profile.duration import DAY_MS, HOUR_MS
from pipeline.profile.ledger import Occurrences

GRID: Final = 1024
"""Points are whole numbers of 1/GRID: sums of them are exact in floats, in every order, up to 2^43 points."""


def on_grid(points: float) -> float:
    """The nearest multiple of 1/GRID. Monotone, so what fades never seems to rise."""
    return round(points * GRID) / GRID


def together(parts: Sequence[Mapping[int, int]]) -> Mapping[int, int]:
    """Buckets of several ledgers added as integers, before any float is made of them."""
    if len(parts) == 1:
        return parts[0]
    found: dict[int, int] = {}
    for part in parts:
        for bucket, count in part.items():
            found[bucket] = found.get(bucket, 0) + count
    return found


def faded(parts: Sequence[Occurrences], half_life_ms: int, most: int, as_of_ms: int) -> float:
    """How many occurrences count at ``as_of_ms``: each halves every half-life from the end of its bucket.

    Of more than ``most`` (0: no limit) the newest count. A half-life of 0 means that nothing fades. Exactly rounded, so
    that the order of buckets and ledgers cannot be seen in the result.
    """
    if half_life_ms == 0:
        total = sum(part.total for part in parts)
        return float(min(total, most) if most else total)
    hours = together([part.hours for part in parts])
    days = together([part.days for part in parts])
    aged = [(as_of_ms - (bucket + 1) * HOUR_MS, count) for bucket, count in hours.items()]
    aged += [(as_of_ms - (bucket + 1) * DAY_MS, count) for bucket, count in days.items()]
    if most:
        aged = _newest(aged, most)
    return fsum([count * exp2(-age / half_life_ms) if age > 0 else count for age, count in aged])


def _newest(aged: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    kept = []
    for age, count in sorted(aged):
        kept.append((age, min(count, most)))
        most -= count
        if most <= 0:
            break
    return kept
