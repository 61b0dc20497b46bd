"""Kafka's murmur2 partitioner: a key goes to the same partition as with Java, Go and Node clients."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

MAX_REMEMBERED: Final = 1 << 16

_SEED, _M, _R, _MASK = 0x9747B28C, 0x5BD1E995, 24, 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Returns the 32-bit hash of ``org.apache.kafka.common.utils.Utils.murmur2``, unsigned."""
    length = len(data)
    h = (_SEED ^ length) & _MASK
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        k = (k ^ k >> _R) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if length & 3:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key: str, partitions: int) -> int:
    """Returns the partition that Kafka's default partitioner chooses for a non-empty key."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def partitioner(partitions: int, remembered: int = MAX_REMEMBERED) -> Callable[[str], int]:
    """Returns :func:`partition_of` for a number of partitions.

    It caches the results for ``remembered`` keys, at most ``MAX_REMEMBERED``, about 240 bytes each.
    """
    return lru_cache(min(remembered, MAX_REMEMBERED))(lambda key: partition_of(key, partitions))
