"""Time as a parameter: the shell passes a clock to code that needs the current time, and tests pass their own."""

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], int]
"""Returns milliseconds since the epoch."""


def wall_clock_ms() -> int:
    """Returns the current time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
