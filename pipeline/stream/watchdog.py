"""Ends a process that is blocked in a librdkafka call, which neither a timeout nor a signal can interrupt."""

import os
import sys
import threading
import time
from collections.abc import Callable

CHECK_SECONDS = 0.5


def end_process(message: str) -> None:
    """Writes the message to standard error and ends the process at once with exit code 1, without any clean-up."""
    sys.stderr.write(f"stitchline: {message}\n")
    sys.stderr.flush()
    os._exit(1)


class Watchdog:
    """A context manager that calls ``on_expiry`` with ``message`` if its block takes longer than ``seconds``.

    Reusable, not re-entrant. Entering and leaving cost one assignment each. The first use starts the checking thread.
    """

    def __init__(self, seconds: float, message: str, on_expiry: Callable[[str], None] = end_process) -> None:
        self._seconds, self._message, self._on_expiry = seconds, message, on_expiry
        self._deadline = 0.0
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        self._deadline = time.monotonic() + self._seconds
        if self._thread is None:
            self._thread = threading.Thread(target=self._check, name="watchdog", daemon=True)
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._deadline = 0.0

    def _check(self) -> None:
        while not 0 < self._deadline < time.monotonic():
            time.sleep(min(CHECK_SECONDS, self._seconds))
        self._on_expiry(self._message)
