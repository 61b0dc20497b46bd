"""The values of a field: all of them, the most frequent one, or the few most frequent ones.

The cell consists of [hash, [JSON text, count]] pairs of at most ``MAX_VALUES`` values. Beyond that, the values with the
smallest hashes are kept. So whether a value is kept depends only on the set of values, and a kept value was counted
from its first occurrence on. Counts and merges are exact. The list is complete up to 64 values, and beyond that it is a
uniform sample.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import msgspec

from pipeline.profile.kinds.kind import Kind
from pipeline.profile.kinds.pairs import Pairs, join_pairs, subtract_pairs

MAX_VALUES: Final = 64
TOP_VALUES: Final = 5


@lru_cache(maxsize=1 << 13)
def hash_of(text: str) -> int:
    """Returns a 63-bit hash that is equal on every worker and in every version."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1


def _lift(value: str, _timestamp_ms: int, _event_id: str) -> Pairs:
    return [[hash_of(value), [value, 1]]]


def _join(one: list[Any], other: list[Any]) -> list[Any]:
    return [one[0], one[1] + other[1]]


def _add(one: Pairs, other: Pairs) -> Pairs:
    return join_pairs(one, other, _join)[:MAX_VALUES]


def _read_unique(cell: Pairs, _divisor: int) -> list[Any]:
    return [msgspec.json.decode(text) for text in sorted(text for _, (text, _) in cell)]


def _read_most_frequent(cell: Pairs, _divisor: int) -> Any:
    _, text = min((-count, text) for _, (text, count) in cell)
    return msgspec.json.decode(text)


def _read_top(cell: Pairs, _divisor: int) -> list[dict[str, Any]]:
    """Returns the most frequent values. A share is relative to the events of all kept values."""
    whole = sum(count for _, (_, count) in cell)
    ranked = sorted((-count, text) for _, (text, count) in cell)
    return [
        {"value": msgspec.json.decode(text), "count": -negative, "share": -negative / whole}
        for negative, text in ranked[:TOP_VALUES]
    ]


def _less(one: list[Any], other: list[Any]) -> list[Any] | None:
    return None if one[1] == other[1] else [one[0], one[1] - other[1]]


def _subtract(one: Pairs, other: Pairs) -> Pairs | None:
    return subtract_pairs(one, other, _less)


UNIQUE = Kind("unique", "scalar", _lift, _add, _read_unique, [], subtract=_subtract)
MOST_FREQUENT = Kind("most_frequent", "scalar", _lift, _add, _read_most_frequent, None, subtract=_subtract)
TOP = Kind("top", "scalar", _lift, _add, _read_top, [], subtract=_subtract)
