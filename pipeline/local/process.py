"""A server as a process of ours: watched from start to stop, or left running for ``stitchline kafka start``."""

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.errors import OperatorError
from pipeline.local import supervise

GRACE_SECONDS = 10.0
POLL_SECONDS = 0.05
TAIL_LINES = 30
LAUNCH = """
import subprocess, sys
log = open(sys.argv[1], "ab")
server = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
print(server.pid)
"""
"""A launcher that ends at once: the server is then nobody's child, so it leaves no zombie with whoever stops it."""


class ServerError(OperatorError):
    """A local server did not start. The message carries the end of its log, which says why."""


class ServerProcess(ABC):
    """One running server and its log file."""

    def __init__(self, name: str, log: Path) -> None:
        self._name = name
        self._log = log

    @property
    @abstractmethod
    def pid(self) -> int:
        """The process to look at."""

    @abstractmethod
    def ended(self) -> bool:
        """Whether it runs no more."""

    @abstractmethod
    def stop(self) -> None:
        """End the server: asked first, killed after ``GRACE_SECONDS``. Returns when no process is left."""

    def wait_ready(self, ready: Callable[[], bool], timeout_seconds: float) -> None:
        """Return once ``ready`` says so.

        Raises:
            ServerError: the server ended, or was not ready in time. Nothing of it runs any more.
        """
        try:
            wait_until(lambda: self.ended() or ready(), timeout_seconds, "was not ready in time")
            failure = "ended before it was ready" if self.ended() else ""
        except TimeoutError as error:
            failure = str(error)
        if failure:
            self.stop()
            message = f"{self._name} {failure}. {self._tail()}"
            raise ServerError(message)

    def _tail(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        return "\n  ".join([f"The end of {self._log}:", *lines]) if lines else f"{self._log} is empty."


class WatchedProcess(ServerProcess):
    """A server that ends with this process, even by ``kill -9``: a small supervisor sees to it."""

    def __init__(self, name: str, command: Sequence[str], log: Path, *, remove: Path | None) -> None:
        super().__init__(name, log)
        watcher = [sys.executable, "-I", supervise.__file__, str(GRACE_SECONDS), str(remove or supervise.NOTHING)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603
                [*watcher, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a terminal's Ctrl-C is ours to handle: the server outlives our last commit
            )

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self._process.pid

    def ended(self) -> bool:
        """Whether the supervisor is gone; it goes last."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Close the pipe the supervisor reads; it does the rest."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


class DetachedProcess(ServerProcess):
    """A server that stays when this process ends, until :func:`end_pid`."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        super().__init__(name, log)
        launch = [sys.executable, "-I", "-c", LAUNCH, str(log), *command]
        self._pid = int(subprocess.run(launch, stdout=subprocess.PIPE, check=True).stdout)  # noqa: S603

    @property
    def pid(self) -> int:
        """The server's own process id."""
        return self._pid

    def ended(self) -> bool:
        """Whether the server is gone."""
        return not is_running(self._pid)

    def stop(self) -> None:
        """End the server, whoever started it."""
        end_pid(self._pid)


def wait_until(condition: Callable[[], bool], timeout_seconds: float, failure: str) -> None:
    """Return once the condition holds; TimeoutError with ``failure`` if it does not in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            message = f"{failure} (waited {timeout_seconds:.0f} s)"
            raise TimeoutError(message)
        time.sleep(POLL_SECONDS)


def end_pid(pid: int) -> None:
    """SIGTERM, time to finish, then SIGKILL, to a process that may be no child of ours. Returns when it is gone."""
    for number, timeout_seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        deadline = time.monotonic() + timeout_seconds
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        while is_running(pid) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
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
