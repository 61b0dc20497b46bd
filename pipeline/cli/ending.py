"""Ends a long-running command: its first SIGINT, SIGTERM or SIGHUP unwinds it, later ones are ignored."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """A signal requested the end. Not an Exception, so that no error handler catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


@contextmanager
def ends_on_signals() -> Iterator[None]:
    """Raise :class:`Ended` in the main thread at the first signal.

    What is being cleaned up after it is not disturbed by a second: only ``kill -9`` ends that sooner. A signal that the
    process was started to ignore (``nohup``) stays ignored.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        for signal_number in before:
            signal.signal(signal_number, signal.SIG_IGN)
        raise Ended(number)

    before = {number: handler for number in SIGNALS if (handler := signal.getsignal(number)) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
