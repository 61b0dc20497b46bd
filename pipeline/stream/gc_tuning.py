"""Settings of Python's cycle collector for processes with millions of cached rows."""

import gc

COLLECT_AFTER = (200_000, 50, 1_000)
"""``gc.set_threshold``: allocations per young collection, young per middle, middle per full collection."""


def collect_rarely() -> None:
    """Makes the cycle collector run rarely.

    Cached rows are numerous, long-lived and free of cycles. With Python's default thresholds the collector takes a
    third of a worker's CPU time and frees nothing.
    """
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
