"""Waits for the processes that a demo has started."""

import time
from collections.abc import Callable
from typing import Final

POLL_SECONDS: Final = 0.2


def holds_within(seconds: float, condition: Callable[[], bool], check: Callable[[], None]) -> bool:
    """Returns whether the condition holds within ``seconds``. Calls ``check`` before each look."""
    deadline = time.monotonic() + seconds
    while True:
        check()
        if condition():
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
