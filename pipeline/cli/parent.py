"""Supervised processes end with their supervisor, also if it is killed."""

import os
import signal
import time
from threading import Thread
from typing import Final

from pipeline.cli.exit_codes import ExitCode

END_GRACE_SECONDS: Final = 10.0


def end_with_parent() -> None:
    """A supervisor that was killed closes our standard input: leave the group as on SIGTERM, in a bounded time.

    A local Kafka ends with the same parent, so a worker that cannot reach it must not wait for it.
    """

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin: a thread that holds its lock at the interpreter's end makes Python abort
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(END_GRACE_SECONDS)
        os._exit(ExitCode.FAILED)  # nothing is lost: what is not committed is done again

    Thread(target=watch, name="parent-watch", daemon=True).start()
