"""A watcher between us and a server: when we are gone, however we went, the server is stopped and its folder removed.

Run as ``python -I supervise.py GRACE_SECONDS FOLDER_TO_REMOVE|- COMMAND…`` with a pipe on standard input. The
end of that pipe *is* the request to stop, so that a clean stop and a parent killed with -9 take the same, tested way.
A thread's death does not end the server (PR_SET_PDEATHSIG alone would: it fires when the parent's thread ends).
Only the standard library: this process lives as long as the server does.
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
    """Run the command until it ends, or standard input does, or our parent does. Returns the command's exit code."""
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
    """SIGTERM, time to finish, then SIGKILL. Returns when the process is gone."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _StopRequest:
    """Standard input's end, a signal, or a changed parent.

    The parent's id is asked too: a child that the parent forked may hold the pipe's other end open.
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
    """Should the watcher itself be killed with -9, Linux ends the server. The watcher has one thread, so it is safe."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
