"""Two workers with one id: the second is refused, and the message says why."""

from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.stream.only_worker import WorkerIdError, only_worker


def test_a_second_worker_with_the_id_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    with only_worker(tmp_path, "app", "0"):
        with pytest.raises(WorkerIdError, match="a worker with the id '0' runs in "):
            only_worker(tmp_path, "app", "0").__enter__()
        with only_worker(tmp_path, "app", "1"), only_worker(tmp_path, "other", "0"):
            pass
    with only_worker(tmp_path, "app", "0"):
        pass


def test_a_worker_that_is_fenced_by_another_with_its_id_reports_it(tmp_path: Path) -> None:
    fenced = KafkaException(KafkaError(KafkaError._FENCED, "fenced", fatal=True))
    another = "another worker with the id '0' of app was started"
    with pytest.raises(WorkerIdError, match=another), only_worker(tmp_path, "app", "0"):
        raise fenced
    lost = KafkaException(KafkaError(KafkaError._TRANSPORT))
    with pytest.raises(KafkaException) as raised, only_worker(tmp_path, "app", "0"):
        raise lost
    assert raised.value is lost


def test_the_command_refuses_a_taken_and_an_empty_id(tmp_path: Path) -> None:
    environment = {"STITCHLINE_HOME": str(tmp_path), "STITCHLINE_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    with only_worker(tmp_path, "stitchline", "7"):
        taken = CliRunner().invoke(app, ["worker", "--worker-id", "7"], env=environment)
    empty = CliRunner().invoke(app, ["worker", "--worker-id", ""], env=environment)

    assert (taken.exit_code, empty.exit_code) == (1, 1)
    assert taken.stderr.startswith("stitchline: a worker with the id '7'")
    assert empty.stderr.startswith("stitchline: STITCHLINE_WORKER_ID: ")
