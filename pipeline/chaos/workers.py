"""Worker processes of a run: started, killed, stopped, and started again when they end, as a supervisor does."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from pipeline.chaos.pages import page
from pipeline.chaos.worker_program import OFFSET
from pipeline.local.ports import free_ports
from pipeline.settings import Settings, variable

PROGRAM: Final = ("-m", "pipeline.chaos.worker_program")
PAUSE_SECONDS: Final = 1.0
"""Until a worker that ended by itself is started again. One that was killed is started at once."""
LEAVE_SECONDS: Final = 60.0
LAST_LINE_BYTES: Final = 4_000


class ChaosWorker:
    """One worker id in all its lives."""

    def __init__(self, worker_id: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.worker_id, self.port = worker_id, 0
        self._environment = dict(environment)
        self._log, self._clock = folder / f"worker-{worker_id}.log", folder / f"worker-{worker_id}.clock"
        self.is_wanted = True
        self.process: subprocess.Popen[bytes] | None = None
        self.start_at: float | None = None
        self.set_clock(0)

    @property
    def pid(self) -> int:
        """Returns the process id of its last life; 0 before the first."""
        return self.process.pid if self.process else 0

    @property
    def is_running(self) -> bool:
        """Returns whether its process runs, or stands still after SIGSTOP."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Starts its next life, on a new port."""
        (self.port,) = free_ports(1)
        environment = {
            **self._environment, variable("worker_id"): self.worker_id, variable("http_port"): str(self.port)
        }  # fmt: skip
        command = [sys.executable, *PROGRAM, str(self._clock)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log)  # noqa: S603
        self.start_at = None

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to its process, if that runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def set_clock(self, seconds: int) -> None:
        """Sets its wall clock, in this life and later ones: seconds against the machine's."""
        self._clock.write_bytes(OFFSET.pack(seconds))

    def kill(self) -> None:
        """Kills its process with -9 and waits for its end."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def ended(self, timeout_seconds: float) -> int:
        """Waits for the end of its process, and kills it when the time is over. Returns the exit code."""
        if self.process is None:
            return 0
        try:
            return self.process.wait(max(0.1, timeout_seconds))
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def limit(self, kind: int, soft: int | None) -> None:
        """Sets a soft limit of its process, if that runs. None: the hard limit."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                _, hard = resource.prlimit(self.pid, kind)
                resource.prlimit(self.pid, kind, (hard if soft is None else soft, hard))

    def limit_descriptors(self, spare: int | None) -> None:
        """Lets its process open so many more files. None: as many as it may."""
        if spare is None:
            self.limit(resource.RLIMIT_NOFILE, None)
            return
        taken = self._open_numbers()
        free = (number for number in range(len(taken) + 1) if number not in taken)
        self.limit(resource.RLIMIT_NOFILE, next(free) + spare)  # the limit is of numbers, and the lowest is given out

    def descriptors(self) -> int:
        """Returns the number of files that its process has open; 0 if it does not run."""
        return len(self._open_numbers())

    def _open_numbers(self) -> set[int]:
        try:
            return {int(name) for name in os.listdir(f"/proc/{self.pid}/fd")}  # noqa: PTH208 - names are enough
        except FileNotFoundError:
            return set()

    def resident_bytes(self) -> int:
        """Returns the resident memory of its process; 0 if it does not run."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
        except FileNotFoundError:
            return 0
        return int(pages) * resource.getpagesize()

    def is_ready(self) -> bool:
        """Returns whether ``/readyz`` answers 200."""
        return page(self.port, "readyz") == "200"

    def last_line(self) -> str:
        """Returns the last line that it wrote."""
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - LAST_LINE_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def close(self) -> None:
        """Closes the pipe to its process."""
        if self.process is not None and self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()


class Workers:
    """The workers by id. A context manager: leaving it kills them."""

    def __init__(self, settings: Settings, folder: Path, count: int) -> None:
        chosen = {variable(name): str(getattr(settings, name)) for name in settings.model_fields_set}
        own = variable("")
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(own)} | chosen
        self._folder, self.first = folder, count
        self.all: list[ChaosWorker] = []
        """Removed ones included."""
        self.ends: list[tuple[str, int, str]] = []
        """Worker id, exit code and last line of every life that ended by itself."""
        self.lives = 0
        for _ in range(count):
            self.add()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.all:
            if worker.process is not None:
                worker.process.kill()
                worker.process.wait()
                worker.close()

    @property
    def wanted(self) -> list[ChaosWorker]:
        """Returns the workers that are to run."""
        return [worker for worker in self.all if worker.is_wanted]

    def are_ready(self) -> bool:
        """Returns whether every worker that is to run answers that it is ready."""
        return all(worker.is_ready() for worker in self.wanted)

    def add(self) -> ChaosWorker:
        """Starts a worker with a new id, or with that of one that was removed."""
        worker = next((worker for worker in self.all if not worker.is_wanted and not worker.is_running), None)
        if worker is None:
            worker = ChaosWorker(str(len(self.all)), self._folder, self._environment)
            self.all.append(worker)
        worker.is_wanted = True
        worker.start()
        self.lives += 1
        return worker

    def check(self) -> None:
        """Starts those that have ended, after a pause if they ended by themselves."""
        now = time.monotonic()
        for worker in self.wanted:
            if worker.process is None or worker.process.poll() is None:
                continue
            if worker.start_at is None:
                code = worker.process.returncode
                worker.close()
                worker.start_at = now
                if code != -signal.SIGKILL:
                    self.ends.append((worker.worker_id, code, worker.last_line()))
                    worker.start_at = now + PAUSE_SECONDS
            if now >= worker.start_at:
                worker.start()
                self.lives += 1

    def leave(self) -> dict[str, int]:
        """Sends SIGTERM to all and waits. Returns the exit codes by id; -9 of one that had to be killed."""
        running = [worker for worker in self.all if worker.is_running]
        for worker in running:
            worker.is_wanted = False
            worker.signal(signal.SIGTERM)
        deadline, codes = time.monotonic() + LEAVE_SECONDS, {}
        for worker in running:
            codes[worker.worker_id] = worker.ended(deadline - time.monotonic())
        return codes
