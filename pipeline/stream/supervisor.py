"""Several worker processes on one machine: start them, start them again when they die, end them together."""

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
"""Of one worker, in succession and by its own fault; one more, and starting it again will not help."""
NOT_ITS_FAULT: Final = 75
"""Exit code of a worker that ends because Kafka cannot be used (EX_TEMPFAIL of sysexits.h)."""
END_GRACE_SECONDS = 20.0
CHECK_SECONDS = 0.2
WORKER: Final = ("-m", "pipeline.cli", "worker", "--supervised")

log = logger(__name__)


class WorkersKeepDyingError(OperatorError):
    """Operator action: the worker's own messages above say why; nothing is lost, it goes on where it stopped."""


class _Supervised:
    """One worker: its process, when it began, and when it is started again after its end."""

    def __init__(self, process: "subprocess.Popen[bytes]", now: float) -> None:
        self.process, self.began = process, now
        self.start_at: float | None = None
        self.backoff = Backoff()
        self.own_faults = 0
        """Ends in succession with an error of its own."""

    def ended(self, code: int, now: float) -> float:
        """Returns the seconds until it is started again."""
        pause = self.backoff.failed(now - self.began)
        if self.backoff.failures == 1:
            self.own_faults = 0
        # A negative code is a signal: someone else ended it, for example the kernel for lack of memory.
        self.own_faults = self.own_faults + 1 if code > 0 and code != NOT_ITS_FAULT else 0
        self.start_at = now + pause
        return pause


class Supervisor:
    """``workers`` processes of ``stitchline worker``, each with an id of its own, which keeps its state folder.

    Where health pages are asked for, each worker has its own port, counted up from STITCHLINE_HTTP_PORT.

    A worker that ends is started again, at once and then after growing pauses of its own. The supervisor gives up only
    on a worker that ends by its own fault again and again; it waits for a Kafka that is away as long as that takes.

    A context manager: leaving it ends every process it started and waits for them. ``output`` is a file that takes
    what they print; without it they print where we do. ``program`` is what Python runs as a worker.
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
        """The last process of each worker, by worker id."""
        return {worker_id: worker.process for worker_id, worker in self._workers.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def run(self, stop: Event, also: Callable[[], None] = lambda: None) -> None:
        """Watch until told to stop; ``also`` is called before each look.

        Raises:
            WorkersKeepDyingError: a worker ends by its own fault faster than starting it again can help.
        """
        while not stop.wait(CHECK_SECONDS):
            also()
            self.check()

    def check(self) -> None:
        """Start again what has died and has waited out its pause.

        Raises:
            WorkersKeepDyingError: see :meth:`run`.
        """
        for worker_id, worker in self._workers.items():
            code, now = worker.process.poll(), self._clock()
            if code is None:
                continue
            if worker.start_at is None:
                self._mourn(worker_id, worker, code, now)
            if worker.start_at is not None and now >= worker.start_at:
                worker.process, worker.began, worker.start_at = self._start(worker_id), now, None

    def _mourn(self, worker_id: str, worker: _Supervised, code: int, now: float) -> None:
        _close_input(worker.process)
        pause = worker.ended(code, now)
        if worker.own_faults > MAX_DEATHS:
            message = (
                f"worker {worker_id} ended {worker.own_faults} times in succession, the last with exit code {code}"
            )
            raise WorkersKeepDyingError(message)
        log.warning("worker_ended", worker=worker_id, exit_code=code, started_again_in_seconds=pause)

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


def _close_input(process: "subprocess.Popen[bytes]") -> None:
    """The pipe by whose end a worker learns that its supervisor is gone."""
    if process.stdin is not None:
        process.stdin.close()
