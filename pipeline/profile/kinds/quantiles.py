"""Quantiles of a numeric field: DDSketch (Masson, Rim, Lee; 2019), whose merges do not depend on order.

The cell consists of [bin, count] pairs. Bin ``i`` contains values within 1 % of its middle. So every quantile is within
1 % of the value at the nearest rank; this bound is not probabilistic. Zero has a bin of its own, and negative values
have negative bins.
"""

from math import ceil, log
from operator import add
from typing import Final

from pipeline.profile.kinds.kind import Kind
from pipeline.profile.kinds.pairs import Pairs, join_pairs, subtract_pairs

ACCURACY: Final = 0.01
_GAMMA: Final = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA: Final = log(_GAMMA)
READ: Final = {"p50": 50, "p90": 90, "p99": 99}


def _lift(value: int, _timestamp_ms: int, _event_id: str) -> Pairs:
    if value == 0:
        return [[0, 1]]
    at = ceil(log(abs(value)) / _LOG_GAMMA) + 1
    return [[at if value > 0 else -at, 1]]


def _add(one: Pairs, other: Pairs) -> Pairs:
    return join_pairs(one, other, add)


def _read(cell: Pairs, divisor: int) -> dict[str, float]:
    return {name: _quantile(cell, percent) / divisor for name, percent in READ.items()}


def _quantile(cell: Pairs, percent: int) -> float:
    """Returns the nearest-rank quantile: the smallest value that at least ``percent`` % of all do not exceed."""
    rank = -(-percent * sum(count for _, count in cell) // 100)
    seen, bins = 0, iter(cell)
    while seen < rank:
        at, count = next(bins)
        seen += count
    return _middle(at)


def _middle(at: int) -> float:
    if at == 0:
        return 0.0
    middle = 2 * _GAMMA ** (abs(at) - 1) / (_GAMMA + 1)
    return middle if at > 0 else -middle


def _less(one: int, other: int) -> int | None:
    return one - other or None


def _subtract(one: Pairs, other: Pairs) -> Pairs | None:
    return subtract_pairs(one, other, _less)


QUANTILES = Kind("quantiles", "number", _lift, _add, _read, None, subtract=_subtract)
