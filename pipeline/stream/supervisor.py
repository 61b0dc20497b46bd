"""Several worker processes on one machine: start them, start them again when they die, end them together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Self

from pipeline.errors import OperatorError
from pipeline.obs.log import logger

MAX_DEATHS, DEATHS_WINDOW_SECONDS = 5, 60.0
END_GRACE_SECONDS = 20.0
CHECK_SECONDS = 0.2

log = logger(__name__)


class WorkersKeepDyingError(OperatorError):
    """Operator action: the workers' own messages above say why; nothing is lost, they go on where they stopped."""


class Supervisor:
    """``workers`` processes of ``stitchline worker``, each with an id of its own, which keeps its state folder.

    Where health pages are asked for, each worker has its own port, counted up from STITCHLINE_HTTP_PORT.

    A context manager: leaving it ends every process it started and waits for them. ``output`` is a file that takes
    what they print; without it they print where we do.
    """

    def __init__(self, workers: int, environment: Mapping[str, str], output: Path | None = None) -> None:
        self._output = output
        self._environment = dict(environment)
        self.processes: dict[str, subprocess.Popen[bytes]] = {
            str(number): self._start(str(number)) for number in range(workers)
        }
        self._deaths: list[float] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def run(self, stop: Event) -> None:
        """Watch until told to stop.

        Raises:
            WorkersKeepDyingError: they end faster than starting them again can help.
        """
        while not stop.wait(CHECK_SECONDS):
            self.check()

    def check(self) -> None:
        """Start again what has died.

        Raises:
            WorkersKeepDyingError: see :meth:`run`.
        """
        for worker_id, process in self.processes.items():
            code = process.poll()
            if code is None:
                continue
            now = time.monotonic()
            self._deaths = [then for then in self._deaths if then > now - DEATHS_WINDOW_SECONDS] + [now]
            if len(self._deaths) > MAX_DEATHS:
                times = f"{len(self._deaths)} times within {DEATHS_WINDOW_SECONDS:.0f} s"
                message = f"workers ended {times}, the last with exit code {code}"
                raise WorkersKeepDyingError(message)
            log.warning("worker_started_again", worker=worker_id, exit_code=code)
            self.processes[worker_id] = self._start(worker_id)

    def end(self) -> None:
        """SIGTERM, so that each commits and leaves the group; SIGKILL for what does not end in time."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + END_GRACE_SECONDS
        for process in self.processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, worker_id: str) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, **self._environment, "STITCHLINE_WORKER_ID": worker_id}
        first_port = int(environment.get("STITCHLINE_HTTP_PORT", "0"))
        if first_port:
            environment["STITCHLINE_HTTP_PORT"] = str(first_port + int(worker_id))
        command = [sys.executable, "-m", "pipeline.cli", "worker", "--supervised"]
        if self._output is None:
            return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)  # noqa: S603
        with self._output.open("ab") as output:
            return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=output, stderr=output)  # noqa: S603
