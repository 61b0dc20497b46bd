"""Server processes: watched, or detached for ``stitchline kafka start``."""

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
"""A launcher that ends at once, so that init adopts the server and no zombie remains when it stops."""


class ServerError(OperatorError):
    """A local server did not start. The message ends with the last lines of its log."""


class ServerProcess(ABC):
    """One running server and its log file."""

    def __init__(self, name: str, log: Path) -> None:
        self._name = name
        self._log = log

    @property
    @abstractmethod
    def pid(self) -> int:
        """Returns the process id."""

    @abstractmethod
    def ended(self) -> bool:
        """Returns whether the process has ended."""

    @abstractmethod
    def stop(self) -> None:
        """Stops the server with SIGTERM, and SIGKILL after ``GRACE_SECONDS``. Returns when no process is left."""

    def wait_ready(self, ready: Callable[[], bool], timeout_seconds: float) -> None:
        """Returns once ``ready`` returns True.

        Raises:
            ServerError: The server ended or was not ready in time. It is stopped.
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
    """A server that a small supervisor process stops when this process ends, even by ``kill -9``."""

    def __init__(self, name: str, command: Sequence[str], log: Path, *, remove: Path | None) -> None:
        super().__init__(name, log)
        watcher = [sys.executable, "-I", supervise.__file__, str(GRACE_SECONDS), str(remove or supervise.NOTHING)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603
                [*watcher, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C must not reach the server: workers still commit
            )

    @property
    def pid(self) -> int:
        """Returns the supervisor's process id."""
        return self._process.pid

    def ended(self) -> bool:
        """Returns whether the supervisor has ended, which ends after the server."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Closes the pipe that the supervisor reads; the supervisor then stops the server."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


class DetachedProcess(ServerProcess):
    """A server that outlives this process, until :func:`end_pid`."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        super().__init__(name, log)
        launch = [sys.executable, "-I", "-c", LAUNCH, str(log), *command]
        self._pid = int(subprocess.run(launch, stdout=subprocess.PIPE, check=True).stdout)  # noqa: S603

    @property
    def pid(self) -> int:
        """Returns the server's process id."""
        return self._pid

    def ended(self) -> bool:
        """Returns whether the server has ended."""
        return not is_running(self._pid)

    def stop(self) -> None:
        """Stops the server."""
        end_pid(self._pid)


def wait_until(condition: Callable[[], bool], timeout_seconds: float, failure: str) -> None:
    """Returns once the condition holds. Raises TimeoutError with ``failure`` after ``timeout_seconds``."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            message = f"{failure} (waited {timeout_seconds:.0f} s)"
            raise TimeoutError(message)
        time.sleep(POLL_SECONDS)


def end_pid(pid: int) -> None:
    """Ends any process with SIGTERM, and SIGKILL after ``GRACE_SECONDS``. Returns when it has ended."""
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
    """Returns whether a process has that id and is not a zombie."""
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
