"""Which Kafka is used follows the settings, and the description says which it was."""

import pytest
from confluent_kafka.admin import AdminClient

from pipeline.local.broker import broker
from pipeline.settings import Settings
from tests.support.waiting import deadline_seconds


def test_a_broker_that_is_named_is_used_and_nothing_is_started() -> None:
    with broker(Settings(bootstrap_servers="kafka.example:9092")) as chosen:
        assert chosen.bootstrap_servers == "kafka.example:9092"
        assert chosen.description == "Kafka at kafka.example:9092 (STITCHLINE_BOOTSTRAP_SERVERS)"


def test_a_container_is_used_if_the_setting_is_on(container_engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STITCHLINE_BOOTSTRAP_SERVERS", raising=False)
    with broker(Settings(testcontainers=True)) as chosen:
        assert "container" in chosen.description
        assert (
            AdminClient({"bootstrap.servers": chosen.bootstrap_servers}).list_topics(timeout=deadline_seconds()).brokers
        )
