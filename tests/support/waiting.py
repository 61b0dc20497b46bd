"""How long a test waits: until a condition holds, at most until one generous deadline that grows with the load.

A test that passes never waits for the deadline, so a long one costs nothing.
"""

import functools
import os
import time
from collections.abc import Callable
from typing import TypeVar

IDLE_DEADLINE_SECONDS = 90.0
IDLE_SPIN_SECONDS = 0.03
"""What the calibration takes on an idle core of 2025."""
SPIN_STEPS = 1_000_000
MAX_SLOWNESS = 10.0
POLL_SECONDS = 0.02
MAX_SLEEP_SECONDS = 0.5
Found = TypeVar("Found")


def slowness() -> float:
    """How many times longer work takes now than on an idle machine: from 1 to ``MAX_SLOWNESS``.

    The larger of a calibration, made once a process, and of the runnable processes per core in the last minute.
    """
    waiting_per_core = os.getloadavg()[0] / (os.cpu_count() or 1)
    return min(MAX_SLOWNESS, max(1.0, _calibrated(), waiting_per_core))


def deadline_seconds(idle_seconds: float = IDLE_DEADLINE_SECONDS) -> float:
    """Seconds until a wait has failed, as of now, that on an idle machine fails after ``idle_seconds``."""
    return idle_seconds * slowness()


def eventually(
    condition: Callable[[], Found | None],
    what: str,
    explain: Callable[[], str] = str,
    *,
    idle_seconds: float = IDLE_DEADLINE_SECONDS,
    interval_seconds: float = POLL_SECONDS,
) -> Found:
    """Evaluate the condition until its result is true, and return that.

    Sleeps ``interval_seconds`` in between, or as long as the evaluation took if that is longer: at least half of the
    time is left to what it waits for. With 0 it does not sleep: the condition waits by itself.

    Raises:
        AssertionError: the deadline has passed; names ``what`` and shows ``explain()``.
    """
    began = requested = time.monotonic()
    while not (result := condition()):
        now = time.monotonic()
        assert now - began < deadline_seconds(idle_seconds), f"not within {now - began:.0f} s: {what}\n{explain()}"
        if interval_seconds:
            time.sleep(max(interval_seconds, min(now - requested, MAX_SLEEP_SECONDS)))
        requested = time.monotonic()
    return result


@functools.cache
def _calibrated() -> float:
    """Wall time of a fixed computation, in units of what it takes on an idle machine."""
    began = time.perf_counter()
    total = 0
    for number in range(SPIN_STEPS):
        total += number
    return (time.perf_counter() - began) / IDLE_SPIN_SECONDS
