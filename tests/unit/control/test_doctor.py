"""What the doctor says of a machine and a cluster, one fault at a time."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.control.doctor import cluster, hanging, host
from pipeline.control.doctor.finding import Finding
from pipeline.local.kafka_transactions import HangingTransaction, TransactionsToolError
from pipeline.settings import Settings
from pipeline.topics import ALL

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def broker(counts: dict[str, int], leader: int = 1) -> Any:
    """Cluster metadata as confluent-kafka has it."""
    topics = {
        name: SimpleNamespace(partitions={number: SimpleNamespace(leader=leader) for number in range(count)})
        for name, count in counts.items()
    }
    return SimpleNamespace(topics=topics, brokers={1: None})


def whole(count: int = 4) -> dict[str, int]:
    return {topic.of("cdp"): count for topic in ALL}


def levels(findings: list[Finding]) -> dict[str, str]:
    return {finding.check: finding.level for finding in findings}


def test_topics_that_fit_together_are_well() -> None:
    result = cluster.topics(Settings(), broker(whole()))
    assert levels(result) == {"topics": "ok", "co-partitioning": "ok", "partitions": "ok"}


def test_no_topics_yet_is_no_failure() -> None:
    (finding,) = cluster.topics(Settings(), broker({"other": 3}))
    assert finding.level == "warn"
    assert "stitchline topics create" in finding.action


def test_a_topic_that_was_grown_is_named_with_its_count() -> None:
    counts = whole() | {"cdp.events.web.v1": 6}
    findings = {finding.check: finding for finding in cluster.topics(Settings(), broker(counts))}
    assert findings["co-partitioning"].level == "fail"
    assert "cdp.events.web.v1 has 6" in findings["co-partitioning"].detail


def test_a_missing_topic_and_a_partition_without_leader_are_reported() -> None:
    counts = whole()
    del counts["cdp.crm.leads.v1"]
    result = levels(cluster.topics(Settings(), broker(counts, leader=-1)))
    assert result == {"topics": "warn", "co-partitioning": "ok", "partitions": "fail"}


def test_rules_with_a_problem_are_a_failure(tmp_path: Path) -> None:
    assert host.rules(Settings()).level == "ok"
    (tmp_path / "scores.yaml").write_text("nonsense: 1\n", encoding="utf-8")
    assert host.rules(Settings(rules_dir=tmp_path)).action == "run: stitchline rules check"
    assert host.rules(Settings(rules_dir=tmp_path / "none")).level == "fail"


def test_a_state_folder_is_checked_also_before_it_exists(tmp_path: Path) -> None:
    assert host.state_folder(Settings(home=tmp_path / "a" / "b")).level == "ok"
    assert not (tmp_path / "a").exists()
    assert host.state_folder(Settings(home=Path("/proc/stitchline"))).level == "fail"


@pytest.mark.parametrize(("free", "level"), [(1 << 40, "ok"), (1 << 30, "warn"), (1 << 20, "fail")])
def test_free_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, level: str) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    assert host.disk(Settings(home=tmp_path)).level == level


def test_a_clock_that_went_back_is_seen_by_the_state_that_was_written(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert host.clock(settings, NOW).level == "ok"
    file = tmp_path / "state" / "x"
    file.parent.mkdir()
    file.touch()
    ahead = (NOW + timedelta(days=2)).timestamp()
    os.utime(file, (ahead, ahead))
    assert host.clock(settings, NOW).level == "fail"
    assert host.clock(Settings(home=tmp_path / "other"), datetime(1970, 1, 1, tzinfo=UTC)).level == "fail"


def test_a_registry_that_is_not_there_is_a_failure() -> None:
    assert host.registry(Settings()).level == "ok"
    assert host.registry(Settings(schema_registry_url="http://127.0.0.1:1")).level == "fail"


class Tool:
    """Kafka's tool, with what it finds given."""

    found: Any = ()

    def __init__(self, _: object) -> None:
        pass

    def find_hanging(self, _: object) -> list[HangingTransaction]:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.mark.parametrize(
    ("stuck", "found", "level", "says"),
    [
        ([], [], "ok", ""),
        ([("t", 0)], [], "warn", "wait"),
        ([("t", 0)], [HangingTransaction("t", 0, 1, 5)], "fail", "stitchline doctor --abort-hanging"),
        ([("t", 0)], TransactionsToolError("no Java"), "warn", "kafka-transactions.sh --bootstrap-server"),
    ],
    ids=["none", "long", "hanging", "no-tool"],
)
def test_an_open_transaction_is_reported_with_its_kind(
    monkeypatch: pytest.MonkeyPatch, stuck: Any, found: Any, level: str, says: str
) -> None:
    monkeypatch.setattr(hanging, "stuck_partitions", lambda *_: stuck)
    monkeypatch.setattr(hanging, "TransactionsTool", type("Given", (Tool,), {"found": found}))
    finding, transactions = hanging.check(Settings(bootstrap_servers="b:1"), broker({}))
    assert finding.level == level
    assert says in finding.action
    assert transactions == (found if isinstance(found, list) else [])


def test_without_kafka_the_rest_is_checked_all_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STITCHLINE_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("STITCHLINE_HOME", str(tmp_path))
    result = CliRunner().invoke(app, ["doctor", "--json"])
    value = {finding["check"]: finding for finding in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert value["kafka"]["level"] == "fail"
    assert "stitchline kafka start" in value["kafka"]["action"]
    assert set(value) == {"kafka", "rules", "state folder", "disk", "descriptors", "clock", "registry"}
