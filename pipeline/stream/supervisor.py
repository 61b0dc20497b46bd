"""Several worker processes on one machine: starts them, restarts those that end, stops them together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Final, Self

from pipeline.backoff import Backoff
from pipeline.errors import OperatorError
from pipeline.obs.log import logger

MAX_DEATHS: Final = 5
"""Consecutive ends of one worker by its own fault. After one more the supervisor gives up."""
NOT_ITS_FAULT: Final = 75
"""Exit code of a worker that ends because Kafka cannot be used (EX_TEMPFAIL of sysexits.h)."""
END_GRACE_SECONDS = 20.0
CHECK_SECONDS = 0.2
RESUME_SIGNAL: Final = signal.SIGUSR1
"""Makes a worker resume the sources that the loss breaker has stopped."""
WORKER: Final = ("-m", "pipeline.cli", "worker", "--supervised")
COLLECTOR: Final = ("-m", "pipeline.cli", "collect", "--supervised")
"""Python's arguments for a collector, which is supervised as a worker is."""
READ_SIDE: Final = ("-m", "pipeline.cli", "serve", "--supervised")
"""Python's arguments for the read model with its API and console."""

log = logger(__name__)


class WorkersKeepDyingError(OperatorError):
    """Operator action: read the worker's own messages above; nothing is lost, a restart continues where it stopped."""


class _Supervised:
    """One worker: its process, its start time, and the time of its next restart."""

    def __init__(self, process: "subprocess.Popen[bytes]", now: float) -> None:
        self.process, self.began = process, now
        self.start_at: float | None = None
        self.backoff = Backoff()
        self.own_faults = 0
        """Consecutive ends with an error of its own."""

    def ended(self, code: int, now: float) -> float:
        """Returns the seconds until the restart."""
        pause = self.backoff.failed(now - self.began)
        if self.backoff.failures == 1:
            self.own_faults = 0
        # A negative code is a signal from outside, for example from the kernel when memory runs out.
        self.own_faults = self.own_faults + 1 if code > 0 and code != NOT_ITS_FAULT else 0
        self.start_at = now + pause
        return pause


class Supervisor:
    """Runs ``workers`` processes of ``stitchline worker``. Each has its own worker id and so its own state folder.

    If STITCHLINE_HTTP_PORT is set, worker *n* serves its health pages on that port plus *n*.

    A worker that ends is restarted, first at once and then after growing pauses. The supervisor gives up only on a
    worker that repeatedly ends by its own fault; it waits without limit for a Kafka that does not answer.

    A context manager: leaving it stops every process and waits for them. ``output`` is a file for their standard output
    and error, by default this process's own. ``program`` holds Python's arguments for a worker.
    """

    def __init__(
        self,
        workers: int,
        environment: Mapping[str, str],
        output: Path | None = None,
        *,
        program: Sequence[str] = WORKER,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._output, self._program, self._clock = output, program, clock
        self._environment = dict(environment)
        self._workers = {str(number): _Supervised(self._start(str(number)), self._clock()) for number in range(workers)}

    @property
    def processes(self) -> "dict[str, subprocess.Popen[bytes]]":
        """Returns the last process of each worker by worker id."""
        return {worker_id: worker.process for worker_id, worker in self._workers.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def run(self, stop: Event, also: Callable[[], None] = lambda: None) -> None:
        """Restarts workers until ``stop`` is set. Calls ``also`` before each check, every ``CHECK_SECONDS``.

        Raises:
            WorkersKeepDyingError: A worker ended more than ``MAX_DEATHS`` times in a row by its own fault.
        """
        while not stop.wait(CHECK_SECONDS):
            also()
            self.check()

    def check(self) -> None:
        """Restarts every ended worker whose pause is over.

        Raises:
            WorkersKeepDyingError: See :meth:`run`.
        """
        for worker_id, worker in self._workers.items():
            code, now = worker.process.poll(), self._clock()
            if code is None:
                continue
            if worker.start_at is None:
                self._record_end(worker_id, worker, code, now)
            if worker.start_at is not None and now >= worker.start_at:
                worker.process, worker.began, worker.start_at = self._start(worker_id), now, None

    def _record_end(self, worker_id: str, worker: _Supervised, code: int, now: float) -> None:
        _close_input(worker.process)
        pause = worker.ended(code, now)
        if worker.own_faults > MAX_DEATHS:
            message = (
                f"worker {worker_id} ended {worker.own_faults} times in succession, the last with exit code {code}"
            )
            raise WorkersKeepDyingError(message)
        log.warning("worker_ended", worker=worker_id, exit_code=code, started_again_in_seconds=pause)

    def resume_sources(self) -> None:
        """Sends the signal that resumes stopped sources to every worker that runs."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(RESUME_SIGNAL)

    def end(self) -> None:
        """Sends SIGTERM, so that each worker commits and leaves the group; SIGKILL after ``END_GRACE_SECONDS``."""
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
            _close_input(process)

    def _start(self, worker_id: str) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, **self._environment, "STITCHLINE_WORKER_ID": worker_id}
        first_port = int(environment.get("STITCHLINE_HTTP_PORT", "0"))
        if first_port:
            environment["STITCHLINE_HTTP_PORT"] = str(first_port + int(worker_id))
        command = [sys.executable, *self._program]
        if self._output is None:
            return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)  # noqa: S603
        with self._output.open("ab") as output:
            return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=output, stderr=output)  # noqa: S603


def http_port_behind(first_port: int, before: int) -> dict[str, str]:
    """Returns the variable that puts a process's health pages behind those of the ``before`` processes before it.

    Empty if ``first_port`` is 0: none of them has pages.
    """
    return {"STITCHLINE_HTTP_PORT": str(first_port + before)} if first_port else {}


def _close_input(process: "subprocess.Popen[bytes]") -> None:
    """Closes the pipe to the worker's standard input. A worker stops at the end of that pipe."""
    if process.stdin is not None:
        process.stdin.close()
