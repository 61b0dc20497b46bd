"""Supervises a server: stops it and removes its folder when the parent process ends in any way.

Run as ``python -I supervise.py GRACE_SECONDS FOLDER_TO_REMOVE|- COMMAND…`` with a pipe on standard input. The
end of that pipe is the request to stop, so that a clean stop and a parent killed with -9 take the same code path.
PR_SET_PDEATHSIG alone would not do: it fires when the parent's thread ends, even if the parent lives on.
Imports only the standard library, to stay small for as long as the server runs.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from types import FrameType

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.2
NOTHING = "-"


def main(arguments: list[str]) -> int:
    """Runs the command until it, standard input or the parent ends. Returns the command's exit code."""
    grace_seconds, folder, command = float(arguments[0]), arguments[1], arguments[2:]
    stop = _StopRequest()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)  # noqa: S603, PLW1509
    while process.poll() is None and not stop.arrived():
        pass
    end(process, grace_seconds)
    if folder != NOTHING:
        shutil.rmtree(folder, ignore_errors=True)
    return process.returncode


def end(process: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """Ends the process with SIGTERM, and SIGKILL after ``grace_seconds``. Returns when it has ended."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _StopRequest:
    """A request to stop: the end of standard input, a signal, or a changed parent.

    The parent's id is checked because a forked child of the parent may hold the other end of the pipe open.
    """

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._signalled = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def arrived(self) -> bool:
        readable, _, _ = select.select([sys.stdin], [], [], POLL_SECONDS)
        ended = bool(readable) and not os.read(sys.stdin.fileno(), 1)
        return ended or self._signalled or os.getppid() != self._parent

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signalled = True


def _die_with_parent() -> None:
    """Makes Linux kill the server if the supervisor is killed with -9. Safe, because the supervisor has one thread."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
