"""``stitchline up --wait``: one Kafka a home, found by other commands, brought back, and gone after ``down``."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import httpx2
import pytest
from confluent_kafka import KafkaException

from pipeline.demo.worker_processes import wait_for_workers
from pipeline.kafka.reach import NoBrokerError, cluster
from pipeline.local import detached
from pipeline.local.home_lock import holder
from pipeline.local.ports import free_ports
from pipeline.local.process import is_running, wait_until
from pipeline.settings import Settings
from tests.support.waiting import deadline_seconds

pytestmark = pytest.mark.kafka

IDLE_S = 200.0
"""What a command, and the local Kafka's return, may take on an idle machine."""


class Home:
    """Commands of one home folder, with no Kafka configured."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("STITCHLINE_")}
        self._collect_port, self.serve_port = free_ports(2)
        self._environment |= {
            "STITCHLINE_HOME": str(folder),
            "STITCHLINE_PARTITIONS": "2",
            "STITCHLINE_COLLECT_PORT": str(self._collect_port),
            "STITCHLINE_SERVE_PORT": str(self.serve_port),
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pipeline.cli", *arguments]
        environment = self._environment
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=deadline_seconds(IDLE_S), check=False
        )

    def collects(self) -> bool:
        """Whether the collector takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._collect_port)) == 0

    def signs_in(self) -> bool:
        """Whether the console shows its sign-in page."""
        try:
            return httpx2.get(f"http://127.0.0.1:{self.serve_port}/sign-in").status_code == HTTPStatus.OK
        except httpx2.TransportError:
            return False

    def kafka(self) -> detached.Running:
        running = detached.find(self.folder, "kafka")
        assert running is not None
        return running

    def java(self) -> int:
        """The broker's own process: the one that is not the watcher."""
        mine = str((self.folder / "kafka").resolve()).encode()
        result = [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if _words(path)[:1] and _words(path)[0].endswith(b"java") and mine in b" ".join(_words(path))
        ]
        assert len(result) == 1
        return result[0]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    try:
        yield home
    finally:
        pid = holder(tmp_path)
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not is_running(pid), deadline_seconds(), "up did not end")


def test_up_returns_when_ready_shares_and_restarts_its_kafka_and_leaves_nothing(home: Home) -> None:
    started = home.run("up", "--wait", "--collect", "--serve")
    assert started.returncode == 0, started.stderr
    assert "1 worker ready" in started.stderr
    assert f"console: http://127.0.0.1:{home.serve_port}/ " in started.stderr
    assert home.signs_in()
    listed = home.run("topics", "ls")
    assert listed.returncode == 0, listed.stderr
    wait_until(home.collects, deadline_seconds(), "the collector does not listen")
    again = home.run("up")
    assert again.returncode == 1
    assert "end them with: stitchline down" in again.stderr

    before = home.kafka()
    os.kill(home.java(), signal.SIGKILL)
    settings = Settings(bootstrap_servers=before.address)

    def is_back() -> bool:
        running = detached.find(home.folder, "kafka")
        try:
            return running is not None and running.pid != before.pid and bool(cluster(settings.kafka(), 2).brokers)
        except (NoBrokerError, KafkaException):
            return False

    wait_until(is_back, deadline_seconds(IDLE_S), "the local Kafka was not started again")
    assert home.kafka().address == before.address
    wait_for_workers(settings, 1, lambda: None)

    stopped = home.run("down")
    assert (stopped.returncode, stopped.stdout) == (0, "stopped\n")
    assert not home.collects()
    assert not home.signs_in()
    assert detached.find(home.folder, "kafka") is None
    assert home.run("down").returncode == 6


def _words(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []
