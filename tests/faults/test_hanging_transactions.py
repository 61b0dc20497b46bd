"""A kill -9 of the local Kafka leaves no transaction open for good; the doctor ends those that hang."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.local.kafka import LocalKafka
from pipeline.local.ports import free_ports
from pipeline.local.process import wait_until
from pipeline.topics import EVENTS
from tests.support.hanging_transaction import ACCEPTS_UNREGISTERED, leave_hanging
from tests.support.open_transactions import (
    SETTLED_S,
    kill_and_restart,
    leave_transactions_open,
    none_open,
    open_partitions,
)

pytestmark = pytest.mark.kafka

TOPIC, PARTITIONS = EVENTS["web"].of("cdp"), 6


@pytest.fixture
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalKafka]:
    """A broker of this test's own, on one port and one folder in all its lives, with the topic."""
    (port,) = free_ports(1)
    settings = getattr(request, "param", {})
    kafka = LocalKafka(tmp_path / "kafka", detached=True, port=port, settings=settings).start()
    try:
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(SETTLED_S)
        yield kafka
    finally:
        kafka.stop()


def test_no_transaction_stays_open_after_a_kill_of_producers_and_broker(broker: LocalKafka) -> None:
    place = broker.bootstrap_servers, TOPIC, PARTITIONS
    leave_transactions_open(*place)
    assert len(open_partitions(*place)) == PARTITIONS
    kill_and_restart(broker)
    wait_until(lambda: none_open(*place), SETTLED_S, "transactions stay open")


@pytest.mark.parametrize("broker", [ACCEPTS_UNREGISTERED], indirect=True, ids=["hanging"])
def test_the_doctor_finds_hanging_transactions_and_aborts_them_on_request(
    broker: LocalKafka, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STITCHLINE_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.setenv("STITCHLINE_HOME", str(tmp_path))

    def transactions(*arguments: str) -> tuple[dict[str, str], Result]:
        result = CliRunner().invoke(app, ["doctor", "--json", *arguments])
        return {load["check"]: load["level"] for load in json.loads(result.stdout)}, result

    leave_hanging(broker.bootstrap_servers, TOPIC, PARTITIONS)
    levels, result = transactions()
    assert levels["transactions"] == "fail", result.output
    declined = CliRunner().invoke(app, ["doctor", "--abort-hanging"], input="n\n")
    assert declined.exit_code == 1
    assert f"hangs: {TOPIC} partition 0 from offset 0" in declined.output
    assert not none_open(broker.bootstrap_servers, TOPIC, PARTITIONS)
    levels, result = transactions("--abort-hanging", "--yes")
    assert levels["abort"] == "ok", result.output
    assert none_open(broker.bootstrap_servers, TOPIC, PARTITIONS)
    levels, result = transactions()
    assert levels["transactions"] == "ok"
    assert result.exit_code == 0, result.output
