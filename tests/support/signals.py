"""Commands that set signal handlers, run in the test process."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

HANDLED = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def kept_signal_handlers() -> Iterator[None]:
    """Restores the handlers of ``HANDLED`` after the block."""
    before = {number: signal.getsignal(number) for number in HANDLED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
