"""A server as a process of ours: watched from start to stop, or left running for ``stitchline kafka start``."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.local import supervise

GRACE_S = 10.0
POLL_S = 0.05
TAIL_LINES = 30


class ServerError(RuntimeError):
    """A local server did not start. The message carries the end of its log, which says why."""


class ServerProcess:
    """One running server and its log file.

    Watched (the default): a small supervisor ends it when this process ends, even by ``kill -9``. Detached: it stays
    until :func:`end_pid`.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path, *, remove: Path | None, detached: bool) -> None:
        self.name = name
        self.log = log
        watcher = [sys.executable, "-I", supervise.__file__, str(GRACE_S), str(remove or supervise.NOTHING)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603
                command if detached else [*watcher, *command],
                stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a terminal's Ctrl-C is ours to handle: the server outlives our last commit
            )

    @property
    def pid(self) -> int:
        """The supervisor's process id, or the server's own when detached."""
        return self._process.pid

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Return once ``ready`` says so.

        Raises:
            ServerError: the server ended, or was not ready in time (it is stopped then).
        """
        try:
            wait_until(lambda: self._ended() or ready(), timeout_s, f"{self.name} was not ready and was stopped")
        except TimeoutError as error:
            tail = self._tail()
            self.stop()
            message = f"{error}. {tail}"
            raise ServerError(message) from error
        if self._ended():
            message = f"{self.name} ended with code {self._process.returncode} before it was ready. {self._tail()}"
            raise ServerError(message)

    def stop(self) -> None:
        """End the server: asked first, killed after ``GRACE_S``. Returns when no process is left."""
        if self._process.stdin is None:
            end_pid(self._process.pid)
            self._process.wait()
            return
        self._process.stdin.close()
        self._process.wait()

    def _ended(self) -> bool:
        return self._process.poll() is not None

    def _tail(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        return "\n  ".join([f"The end of {self.log}:", *lines]) if lines else f"{self.log} is empty."


def wait_until(condition: Callable[[], bool], timeout_s: float, failure: str) -> None:
    """Return once the condition holds; TimeoutError with ``failure`` if it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            message = f"{failure} (waited {timeout_s:.0f} s)"
            raise TimeoutError(message)
        time.sleep(POLL_S)


def end_pid(pid: int) -> None:
    """SIGTERM, time to finish, then SIGKILL, to a process that may be no child of ours. Returns when it is gone."""
    for number, patience_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        deadline = time.monotonic() + patience_s
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        while is_running(pid) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        if not is_running(pid):
            return


def is_running(pid: int) -> bool:
    """Whether a process of that id is there and not merely waiting to be collected by its parent."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not stat.parent.parent.joinpath("self").exists()
