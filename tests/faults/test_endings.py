"""Every end of a worker is JSON lines and one line that begins with ``stitchline:`` and says what to do."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.local.broker import Broker
from pipeline.local.kafka import LocalKafka
from pipeline.local.ports import LOOPBACK, free_ports, is_listening
from pipeline.settings import Settings
from pipeline.topics import EVENTS
from tests.support.events import as_sent, web_event
from tests.support.fleet import Fleet
from tests.support.records import send

pytestmark = pytest.mark.kafka

ENDED_S = 60.0
DISK_MB = 3
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
CAPPED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
sys.argv = ["stitchline", "worker"]
from pipeline.cli import main
main()
"""


def last_line(fleet: Fleet) -> str:
    """Waits for the end with exit code 1. Returns the line; every line before it is JSON with the worker's name."""
    assert fleet.ended("a", ENDED_S) == 1
    *entries, line = fleet.said("a").splitlines()
    for entry in entries:
        assert json.loads(entry)["worker"] == "a"
        assert json.loads(entry)["logger"] != "librdkafka", entry
    assert line.startswith("stitchline: ")
    return line


class GuardedKafka(LocalKafka):
    """A broker that requires a log-in with SASL."""

    def _answers(self, port: int) -> bool:
        return is_listening(port)


def test_a_wrong_password(tmp_path: Path) -> None:
    guard = {
        "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.plaintext.plain.sasl.jaas.config": f'{LOGIN} username="ada" password="right" user_ada="right";',
    }
    with GuardedKafka(tmp_path / "kafka", settings=guard) as kafka:
        settings = Settings(
            bootstrap_servers=kafka.bootstrap_servers, security_protocol="sasl_plaintext", sasl_mechanism="PLAIN",
            sasl_username="ada", home=tmp_path,
        )  # fmt: skip
        with Fleet(settings) as fleet:
            fleet.start("a", sasl_password="wrong")
            line = last_line(fleet)
    assert line.startswith("stitchline: authentication failed at ")
    assert "STITCHLINE_SASL_PASSWORD" in line
    assert "wrong" not in line


def test_a_wrong_address(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with Fleet(Settings(bootstrap_servers=f"{LOOPBACK}:{port}", home=tmp_path)) as fleet:
        fleet.start("a")
        line = last_line(fleet)
        assert len(fleet.said("a").splitlines()) == 1
    assert "STITCHLINE_BOOTSTRAP_SERVERS" in line


def test_a_second_worker_with_the_id_in_another_home(kafka: Broker, topic_prefix: str, tmp_path: Path) -> None:
    settings = settings_of(kafka, topic_prefix, tmp_path).model_copy(
        update={"partitions": 8, "session_timeout_ms": 3000}
    )
    with Fleet(settings) as fleet, Fleet(settings.model_copy(update={"home": tmp_path / "elsewhere"})) as other:
        (tmp_path / "elsewhere").mkdir()
        fleet.start("a")
        fleet.until_ready("a")
        other.start("a")
        other.until_ready("a")
        fleet.until_ready("a")
        fill(settings, 500)  # in the partitions of both
        line = last_line(fleet)
        assert other.end("a") == 0
    assert line.startswith("stitchline: another worker with the id 'a' of ")
    assert "STITCHLINE_WORKER_ID" in line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of ``DISK_MB``, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def settings_of(kafka: Broker, prefix: str, home: Path) -> Settings:
    return Settings(
        bootstrap_servers=kafka.bootstrap_servers, topic_prefix=prefix, application_id=prefix, home=home, partitions=1,
    )  # fmt: skip


def fill(settings: Settings, customers: int) -> None:
    now_ms = time.time_ns() // 1_000_000
    send(settings, EVENTS["web"], [as_sent(web_event(f"m{n}", [f"user_id:c{n}"], now_ms)) for n in range(customers)])


def test_a_full_disk(kafka: Broker, topic_prefix: str, small_disk: Path, tmp_path: Path) -> None:
    settings = settings_of(kafka, topic_prefix, tmp_path)
    with Fleet(settings) as fleet:
        fleet.start("a", home=small_disk)
        fleet.until_ready("a")
        fill(settings, 20_000)
        line = last_line(fleet)
    assert line.startswith("stitchline: the disk is full: free space on the disk of STITCHLINE_HOME")


def test_a_file_that_may_not_grow(kafka: Broker, topic_prefix: str, tmp_path: Path) -> None:
    settings = settings_of(kafka, topic_prefix, tmp_path)
    with Fleet(settings, ("-c", CAPPED.format(limit=256 << 10))) as fleet:
        fleet.start("a")
        fleet.until_ready("a")
        fill(settings, 20_000)
        line = last_line(fleet)
    assert line.startswith("stitchline: the disk is full: ")


def test_a_worker_that_works_logs_nothing_but_its_start_its_partitions_and_its_end(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = settings_of(kafka, topic_prefix, tmp_path)
    with Fleet(settings) as fleet:
        fleet.start("a")
        fleet.until_ready("a")
        fill(settings, 1_000)
        fleet.until("it has committed", lambda: fleet.metric("a", "stitchline_commits_total") > 0)
        assert fleet.end("a", signal.SIGTERM) == 0
        entries = [json.loads(line) for line in fleet.said("a").splitlines()]
    assert [entry["event"] for entry in entries] == [
        "topics_created", "worker_started", "partitions_ready", "partitions_released", "worker_stopped",
    ]  # fmt: skip
    assert {entry["worker"] for entry in entries} == {"a"}
