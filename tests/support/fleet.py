"""Worker processes of a test: starts, observes over HTTP and ends them. None outlives the test."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from pipeline.local.ports import LOOPBACK, free_ports
from pipeline.obs.metrics import HELD
from pipeline.settings import Settings
from pipeline.stream.build import STAGES
from tests.support import children
from tests.support.waiting import IDLE_DEADLINE_SECONDS, deadline_seconds, eventually

POLL_SECONDS = 0.05
WORKER = ("-m", "pipeline.cli", "worker")


class Fleet:
    """A context manager. ``program`` is what Python runs; each worker's output goes to a file of its own."""

    def __init__(self, settings: Settings, program: Sequence[str] = WORKER) -> None:
        self.settings = settings
        self._program = program
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._ports: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.running.values():
            process.kill()
            process.wait(deadline_seconds())

    def start(self, worker_id: str, **changed: object) -> None:
        """Start a worker, or start it again: the id keeps its state. ``changed`` are settings of its own."""
        chosen = {name: getattr(self.settings, name) for name in self.settings.model_fields_set}
        (self._ports[worker_id],) = free_ports(1)
        chosen |= {"worker_id": worker_id, "http_port": self._ports[worker_id], **changed}
        environment = {**os.environ, **{f"STITCHLINE_{name.upper()}": str(value) for name, value in chosen.items()}}
        with self._log(worker_id).open("ab") as log:
            self.running[worker_id] = children.start(
                [sys.executable, *self._program], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def end(self, worker_id: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end: the exit code. A worker heeds SIGTERM once it serves its pages."""
        if number == signal.SIGTERM:
            self.until(f"{worker_id} serves its pages", lambda: self.page(worker_id, "livez")[0])
        self.running[worker_id].send_signal(number)
        return self.ended(worker_id)

    def ended(self, worker_id: str, idle_seconds: float = IDLE_DEADLINE_SECONDS) -> int:
        """Wait for a worker to end by itself: the exit code."""
        process = self.running[worker_id]
        eventually(
            lambda: process.poll() is not None, f"{worker_id} has ended", lambda: self.said(worker_id)[-3000:],
            idle_seconds=idle_seconds,
        )  # fmt: skip
        return self.running.pop(worker_id).returncode

    def said(self, worker_id: str) -> str:
        """Everything the worker has written, in all its lives."""
        return self._log(worker_id).read_text(encoding="utf-8", errors="replace")

    def until(self, what: str, condition: Callable[[], Any], idle_seconds: float = IDLE_DEADLINE_SECONDS) -> Any:
        """Evaluate the condition until it is true, and return that; meanwhile no worker may end."""

        def found() -> Any:
            result = condition()
            for worker_id, process in () if result else self.running.items():
                assert process.poll() is None, f"worker {worker_id} ended by itself:\n{self.said(worker_id)[-3000:]}"
            return result

        return eventually(found, what, self._last_words, idle_seconds=idle_seconds, interval_seconds=POLL_SECONDS)

    def until_ready(self, *worker_ids: str) -> None:
        """Wait until each holds restored partitions."""
        for worker_id in worker_ids:
            self.until(f"{worker_id} is ready", lambda worker_id=worker_id: self.page(worker_id, "readyz")[0] == 200)

    def page(self, worker_id: str, path: str) -> tuple[int, str]:
        """Returns status and body of a page of the worker; status 0 while its port is closed."""
        try:
            url = f"http://{LOOPBACK}:{self._ports[worker_id]}/{path}"
            with urllib.request.urlopen(url, timeout=deadline_seconds()) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:  # it is an open response too
                return refusal.code, refusal.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return 0, ""

    def reasons(self, worker_id: str, path: str = "readyz") -> list[str]:
        """Returns the worker's reasons for not being ready; also empty while its port is closed."""
        body = self.page(worker_id, path)[1]
        return list(msgspec.json.decode(body)["reasons"]) if body else []

    def metric(self, worker_id: str, name: str, **labels: str) -> float:
        """The sum of a metric's series with these labels; 0 where there is none."""
        return sum(
            sample.value
            for sample in self._samples(worker_id)
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def _samples(self, worker_id: str) -> list[Sample]:
        _, body = self.page(worker_id, "metrics")
        return [sample for family in text_string_to_metric_families(body) for sample in family.samples]

    def holds_nothing(self) -> bool:
        """Whether every partition of every stage is with a worker and holds no record back behind watermarks."""
        held: dict[tuple[str, str], float] = {}
        for worker_id in self.running:
            for sample in self._samples(worker_id):
                if sample.name == HELD.name:
                    place = sample.labels["stage"], sample.labels["partition"]
                    held[place] = held.get(place, 0) + sample.value
        places = {(str(stage), str(partition)) for stage in STAGES for partition in range(self.settings.partitions)}
        return held.keys() == places and not any(held.values())

    def _log(self, worker_id: str) -> Path:
        return self.settings.home / f"{worker_id}.log"

    def _last_words(self) -> str:
        return "\n".join(f"{worker_id}: {self.said(worker_id)[-1500:]}" for worker_id in self.running)
