"""The number of different values of a field: exact up to 256, then by HyperLogLog (Flajolet and others, 2007).

Up to 256 values the cell consists of [hash, 0] pairs. Beyond that it consists of [register, rank] pairs of the used
ones of 1024 registers, with ranks of at least 1. The standard error is 1.04/sqrt(1024) = 3.3 %: about two of three
numbers are within 3.3 %, 95 of 100 within 6.5 % and 997 of 1000 within 10 %. Merging unites the hashes or takes the
larger rank of each register. The form of a cell depends only on the number of values, so that the order of merging does
not matter.
"""

from math import log
from typing import Final

from pipeline.profile.kinds.kind import Kind
from pipeline.profile.kinds.pairs import Pairs, join_pairs
from pipeline.profile.kinds.values import hash_of

MAX_EXACT: Final = 256
"""The largest number of values that is counted exactly."""
_INDEX_BITS: Final = 10
REGISTERS: Final = 1 << _INDEX_BITS
_RANK_BITS: Final = 63 - _INDEX_BITS
_ALPHA: Final = 0.7213 / (1 + 1.079 / REGISTERS)


def _lift(value: str, _timestamp_ms: int, _event_id: str) -> Pairs:
    return [[hash_of(value), 0]]


def _add(one: Pairs, other: Pairs) -> Pairs:
    if _is_exact(one) and _is_exact(other):
        joined = join_pairs(one, other, max)
        return joined if len(joined) <= MAX_EXACT else _registers(joined)
    return join_pairs(_registers(one), _registers(other), max)


def _is_exact(cell: Pairs) -> bool:
    return bool(cell[0][1] == 0)


def _registers(cell: Pairs) -> Pairs:
    """Converts an exact cell to registers. Returns other cells unchanged."""
    if not _is_exact(cell):
        return cell
    ranks: dict[int, int] = {}
    for hashed, _ in cell:
        register, rank = hashed % REGISTERS, _RANK_BITS - (hashed >> _INDEX_BITS).bit_length() + 1
        ranks[register] = max(rank, ranks.get(register, 0))
    return [[register, rank] for register, rank in sorted(ranks.items())]


def _read(cell: Pairs, _divisor: int) -> int:
    if _is_exact(cell):
        return len(cell)
    unused = REGISTERS - len(cell)
    raw: float = _ALPHA * REGISTERS**2 / (unused + sum(2.0**-rank for _, rank in cell))
    estimate = REGISTERS * log(REGISTERS / unused) if raw <= 2.5 * REGISTERS and unused else raw
    return max(round(estimate), MAX_EXACT + 1)  # never below the exact count, so that the number only grows


DISTINCT = Kind("distinct", "scalar", _lift, _add, _read, 0)
