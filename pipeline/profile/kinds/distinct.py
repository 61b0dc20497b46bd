"""How many different values a field has had, approximately: HyperLogLog (Flajolet, Fusy, Gandouet, Meunier; 2007).

The cell is [register, rank] pairs of the registers in use, of 1024. The standard error is 1.04/sqrt(1024) = 3.3 %;
small numbers are counted linearly, within 1 up to some dozens. Merging takes the larger rank of each register.
"""

from math import log
from typing import Final

from pipeline.profile.kinds.kind import Kind
from pipeline.profile.kinds.pairs import Pairs, join_pairs
from pipeline.profile.kinds.values import hash_of

_INDEX_BITS: Final = 10
REGISTERS: Final = 1 << _INDEX_BITS
_RANK_BITS: Final = 63 - _INDEX_BITS
_ALPHA: Final = 0.7213 / (1 + 1.079 / REGISTERS)


def _lift(value: str, _timestamp_ms: int, _event_id: str) -> Pairs:
    hashed = hash_of(value)
    rest = hashed >> _INDEX_BITS
    return [[hashed % REGISTERS, _RANK_BITS - rest.bit_length() + 1]]


def _add(one: Pairs, other: Pairs) -> Pairs:
    return join_pairs(one, other, max)


def _read(cell: Pairs, _divisor: int) -> int:
    unused = REGISTERS - len(cell)
    raw: float = _ALPHA * REGISTERS**2 / (unused + sum(2.0**-rank for _, rank in cell))
    if raw <= 2.5 * REGISTERS and unused:
        return round(REGISTERS * log(REGISTERS / unused))
    return round(raw)


DISTINCT = Kind("distinct", "scalar", _lift, _add, _read, 0)
