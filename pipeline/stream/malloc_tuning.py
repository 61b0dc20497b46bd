"""Settings of glibc's allocator for a process with many threads that hold little."""

import ctypes
import sys
from typing import Final

M_ARENA_MAX: Final = -8
"""``mallopt``: the most arenas. From malloc.h."""
ARENAS: Final = 2


def use_few_arenas() -> None:
    """Makes all threads share ``ARENAS`` heaps. Call before threads start. Does nothing without glibc.

    By default there are eight heaps a core. RocksDB and librdkafka allocate in one thread and free in another, so each
    heap keeps what its busiest moment took. Python's objects are in heaps of the interpreter, and its threads wait for
    one lock anyway.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, ARENAS)
