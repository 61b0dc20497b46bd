"""Settings of Python's cycle collector for processes with millions of cached rows."""

import asyncio
import gc
from typing import Final

COLLECT_AFTER = (200_000, 50, 1_000)
"""``gc.set_threshold``: allocations per young collection, young per middle, middle per full collection."""
YOUNG_SECONDS: Final = 15.0


def collect_rarely() -> None:
    """Makes the cycle collector run rarely.

    Cached rows are numerous, long-lived and free of cycles. With Python's default thresholds the collector takes a
    third of a worker's CPU time and frees nothing.
    """
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def collect_young(pause_seconds: float = YOUNG_SECONDS) -> None:
    """Frees the young objects that are garbage in cycles, after each pause, until it is cancelled.

    Each connection to the health pages leaves such a cycle (asyncio's closed transport refers to itself), about 1 kB.
    With ``COLLECT_AFTER`` alone, tens of thousands of them would wait for a collection. Objects that have survived one
    are not visited again, so this takes a millisecond.
    """
    while True:
        await asyncio.sleep(pause_seconds)
        gc.collect(0)
