"""A local server leaves nothing behind, however it ends, and reports why it failed to start."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from typer.testing import CliRunner

from pipeline.cli.kafka import app
from pipeline.local import detached
from pipeline.local.kafka import LocalKafka, answers
from pipeline.local.process import ServerError, end_pid
from tests.support import children
from tests.support.waiting import deadline_seconds, eventually

PARENT = """
import sys, threading
from pathlib import Path
from pipeline.local.kafka import LocalKafka
kafka = LocalKafka(Path(sys.argv[1]))
starter = threading.Thread(target=kafka.start)
starter.start(); starter.join()
print(kafka.bootstrap_servers, kafka.pid, flush=True)
threading.Event().wait()
"""


def _processes_of(home: Path) -> list[int]:
    """Processes that have the folder on their command line. Leaves out the parent under test."""
    result = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = command.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(home).encode() in text and PARENT.encode() not in text:
            result.append(int(command.parent.name))
    return result


def _wait_until_gone(home: Path) -> None:
    eventually(lambda: not _processes_of(home), "no process is left", lambda: str(_processes_of(home)))


def _start_in_child(home: Path) -> tuple[subprocess.Popen[str], int, int]:
    """A process of its own that starts Kafka in a thread that ends: the process, Kafka's port, the supervisor."""
    command = [sys.executable, "-c", PARENT, str(home)]
    parent = children.start(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert parent.stdout is not None
    address, supervisor = parent.stdout.readline().split()
    return parent, int(address.rpartition(":")[2]), int(supervisor)


def test_a_parent_killed_with_minus_9_leaves_no_orphan(tmp_path: Path) -> None:
    with _start_in_child(tmp_path)[0] as parent:
        assert len(_processes_of(tmp_path)) >= 1
        parent.kill()
    _wait_until_gone(tmp_path)


def test_the_server_outlives_the_thread_that_started_it_but_not_its_supervisor(tmp_path: Path) -> None:
    parent, port, supervisor = _start_in_child(tmp_path)
    with parent:
        assert answers(port)
        os.kill(supervisor, signal.SIGKILL)
        _wait_until_gone(tmp_path)
        parent.kill()


def test_stop_leaves_no_process_and_no_folder_without_java_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with LocalKafka() as kafka:
        (home,) = tmp_path.iterdir()
        assert len(_processes_of(home)) >= 1
        assert kafka.bootstrap_servers.startswith("127.0.0.1:")
        kafka.stop()
        assert _processes_of(home) == []
        assert list(tmp_path.iterdir()) == []


def test_a_server_that_fails_to_start_reports_the_reason_and_leaves_no_process(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"no\.such\.Reporter"):
        LocalKafka(tmp_path, settings={"metric.reporters": "no.such.Reporter"}).start()
    assert _processes_of(tmp_path) == []


def test_storage_that_cannot_be_formatted_is_reported_with_the_tools_words(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"num\.io\.threads"):
        LocalKafka(tmp_path, settings={"num.io.threads": "plenty"}).start()


def test_a_developers_kafka_stays_is_found_again_and_keeps_its_topics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STITCHLINE_HOME", str(tmp_path))
    run = CliRunner().invoke
    assert run(app, ["status"]).exit_code == 6
    try:
        assert run(app, ["start"]).exit_code == 0
        first = detached.find(tmp_path, "kafka")
        assert first is not None
        assert run(app, ["start"]).exit_code == 0
        assert detached.find(tmp_path, "kafka") == first
        admin = AdminClient({"bootstrap.servers": first.address})
        admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(deadline_seconds())
        del admin
        assert "export STITCHLINE_BOOTSTRAP_SERVERS=" + first.address in run(app, ["status"]).stdout
        assert run(app, ["stop"]).stdout == "kafka: stopped\n"
        assert _processes_of(tmp_path) == []
        port = int(first.address.rpartition(":")[2])
        again = detached.start(tmp_path, "kafka", port)
        assert again.address == first.address
        assert "kept" in _topics(again.address)
    finally:
        detached.stop(tmp_path, "kafka")
    assert run(app, ["status"]).exit_code == 6


def test_a_state_file_whose_number_now_belongs_to_another_process_is_not_believed(tmp_path: Path) -> None:
    with children.running([sys.executable, "-c", "import threading; threading.Event().wait()"]) as stranger:
        stale = detached.Running("kafka", "Apache Kafka", stranger.pid, "127.0.0.1:1", "", str(tmp_path / "kafka"))
        detached.remember(tmp_path, stale)
        assert detached.find(tmp_path, "kafka") is None
        assert detached.stop(tmp_path, "kafka") is False
        assert stranger.poll() is None
        end_pid(stranger.pid)


def _topics(address: str) -> set[str]:
    return set(AdminClient({"bootstrap.servers": address}).list_topics(timeout=deadline_seconds()).topics)
