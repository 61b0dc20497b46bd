"""Base of local servers: fetches, starts on free loopback ports, waits until ready, stops, cleans up."""

import shutil
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from pipeline.local.fetch import fetch
from pipeline.local.lockfile import HERE, read_lock
from pipeline.local.ports import LOOPBACK, free_ports, is_free
from pipeline.local.process import DetachedProcess, ServerError, ServerProcess, WatchedProcess

READY_SECONDS = 120.0
"""A start takes a few seconds on an idle machine and many times that on a busy one."""
ATTEMPTS = 3


class LocalServer(ABC):
    """A server for the demo, the tests and the benchmarks; needs no Java and no container engine.

    Listens on loopback only and has a bounded heap. Writes only below one folder, which ``stop`` removes unless the
    caller passed it as ``data``. No process is left after ``stop`` or after this process dies, unless ``detached``.

    ``port`` 0 chooses a free port.
    """

    name: ClassVar[str]
    lock_name: ClassVar[str]

    def __init__(self, data: Path | None = None, *, detached: bool = False, port: int = 0) -> None:
        self.address = ""
        self._files = read_lock(HERE / self.lock_name)
        self._data = data
        self._detached = detached
        self._port = port
        self._process: ServerProcess | None = None

    @property
    def version(self) -> str:
        """Returns the server's locked version."""
        return locked_version(self.lock_name)

    @property
    def description(self) -> str:
        """Returns name and version for reports."""
        return f"{self.name} {self.version} (local)"

    @property
    def pid(self) -> int:
        """Returns the process id of the supervisor, or of the server itself if detached.

        Raises:
            ServerError: The server is not running.
        """
        if self._process is None:
            message = f"{self.name} is not running: call start() first"
            raise ServerError(message)
        return self._process.pid

    def ended(self) -> bool:
        """Returns whether a started server has ended by itself."""
        return self._process is not None and self._process.ended()

    def start(self) -> Self:
        """Fetches missing files, starts the server and returns when it answers.

        Raises:
            LockMismatchError: A fetched file is not the locked one.
            ServerError: The server did not start; the message ends with its log.
        """
        paths = fetch(f"{self.name} {self.version}", self._files)
        for attempt in range(1, ATTEMPTS + 1):
            ports = [self._port, *free_ports(2)] if self._port else free_ports(2)
            try:
                self._start_on(ports, paths)
            except ServerError:
                if attempt == ATTEMPTS or all(is_free(port) for port in ports):
                    raise
            else:
                break
        return self

    def stop(self) -> None:
        """Stops the server and removes its temporary data folder. Does nothing if it is not running."""
        if self._process is not None:
            self._process.stop()
            self._process = None
            self.address = ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_on(self, ports: list[int], paths: list[Path]) -> None:
        prefix = f"stitchline-{self.name.split()[-1].lower()}-"
        home = self._data or Path(tempfile.mkdtemp(prefix=prefix))
        try:
            self._process = self._run(home.resolve(), ports, paths)
        except BaseException:
            if self._data is None:
                shutil.rmtree(home, ignore_errors=True)
            raise
        self.address = f"{LOOPBACK}:{ports[0]}"

    def _run(self, home: Path, ports: list[int], paths: list[Path]) -> ServerProcess:
        home.mkdir(parents=True, exist_ok=True)
        command, log = self._prepare(home, ports, paths), home / "server.log"
        remove = None if self._data else home
        process = (
            DetachedProcess(self.name, command, log)
            if self._detached
            else WatchedProcess(self.name, command, log, remove=remove)
        )
        try:
            process.wait_ready(lambda: self._answers(ports[0]), READY_SECONDS)
        except BaseException:  # including KeyboardInterrupt
            process.stop()
            raise
        return process

    @abstractmethod
    def _prepare(self, home: Path, ports: list[int], paths: list[Path]) -> list[str]:
        """Writes the server's files into its folder. Returns the command that runs it on the first port."""

    @abstractmethod
    def _answers(self, port: int) -> bool:
        """Returns whether the server responds to a first request."""


def locked_version(lock_name: str) -> str:
    """Returns the version of a lock's first file, which is the server itself."""
    return read_lock(HERE / lock_name)[0].version
