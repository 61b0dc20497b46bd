"""Python's cycle collector, told about processes that hold millions of rows."""

import gc

COLLECT_AFTER = (200_000, 50, 1_000)
"""Allocations, and collections of younger generations, between collections."""


def collect_rarely() -> None:
    """Collect cycles seldom: cached rows are many, live long and hold none, so walking them all finds nothing.

    With Python's own thresholds a third of the time goes there.
    """
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
