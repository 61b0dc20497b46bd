"""Ends what a test process left running: ``python -I reaper.py MARK``, with a pipe from that process as standard input.

The pipe's end means that the test process is gone, however it went. Every process that carries the mark in its
environment came from it, through however many parents; each gets SIGTERM, time to finish, then SIGKILL.
Only the standard library, and only Linux: elsewhere there is no /proc, and nothing is done.
"""

import os
import signal
import sys
import time
from pathlib import Path

GRACE_SECONDS = 10.0
POLL_SECONDS = 0.05


def marked(mark: str) -> list[int]:
    """Ids of the running processes of this user that carry the mark, but for this one."""
    result = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            carries = mark.encode() in (entry / "environ").read_bytes()
        except OSError:  # ended meanwhile, or another user's
            continue
        if carries and int(entry.name) != os.getpid():
            result.append(int(entry.name))
    return result


def end(mark: str) -> None:
    """Return when no process carries the mark."""
    deadline = time.monotonic() + GRACE_SECONDS
    signalled: set[int] = set()
    while left := marked(mark):
        late = time.monotonic() > deadline
        for pid in left if late else set(left) - signalled:
            try:
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
            except ProcessLookupError:
                continue
        signalled.update(left)
        time.sleep(POLL_SECONDS)


def main() -> None:
    """Wait for the pipe's end. A terminal's ctrl-c is for the tests: this process outlives them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while sys.stdin.buffer.read(1):
        pass
    end(sys.argv[1])


if __name__ == "__main__":
    main()
