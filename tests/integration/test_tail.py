"""``stitchline tail`` on a real broker: each event with what a real worker and the door made of it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import confluent_kafka
import msgspec
import pytest

from connectors.collect.encode import Origin, RecordEncoder
from pipeline.avro.registry import FileIds
from pipeline.event.parse import Defaults
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected
from pipeline.local.broker import Broker
from pipeline.rules.load import load_rules
from tests.integration.small_deployment import Deployment
from tests.support.waiting import deadline_seconds

pytestmark = pytest.mark.kafka

RULES = load_rules()
NOW_MS = time.time_ns() // 1_000_000


@pytest.fixture
def deployment(kafka: Broker, tmp_path) -> Iterator[Deployment]:
    with Deployment(kafka.bootstrap_servers, f"t{os.getpid()}-tail-{time.monotonic_ns()}", tmp_path) as made:
        made.run("topics", "create")
        yield made


def call(number: str, **more: object) -> dict[str, object]:
    return {
        "type": "track",
        "event": "Seen\x1b[2J",
        "messageId": number,
        "userId": "u1",
        "timestamp": NOW_MS,
        **more,
    }


def test_each_event_is_shown_with_its_fate(deployment: Deployment) -> None:
    encoder = RecordEncoder(RULES.intake, RULES.identifiers, FileIds(), deployment.settings.topic_prefix)
    producer = confluent_kafka.Producer({**deployment.settings.kafka(), "partitioner": "murmur2_random"})

    def send(source: str, document: dict[str, object] | Rejected) -> None:
        record = (
            encoder.quarantined(b"{\x1b", document, Origin(source, "json", 1_790_000_000_000), b"1 {\x1b")
            if isinstance(document, Rejected)
            else encoder.event(document, Defaults(source=source, channel="web"))
        )
        producer.produce(record.topic, record.value, record.key, headers=record.headers)
        assert producer.flush(deadline_seconds()) == 0

    send("shop", call("m1"))
    send("other", call("m1"))
    send("shop", call("m1"))
    send("shop", call("m2"))
    for _ in range(2):  # its sender got no answer
        send("shop", Rejected(Reason.UNDECODABLE, "not JSON \x1b[2J"))
    deployment.start_worker()

    def tail(*arguments: str) -> str:
        command = [sys.executable, "-m", "pipeline.cli", "tail", "--from-start", *arguments]
        return subprocess.run(
            command, env=deployment.environment, timeout=deadline_seconds(), check=True, capture_output=True, text=True
        ).stdout

    lines = [msgspec.json.decode(line) for line in tail("--source", "shop", "-n", "5", "--json").splitlines()]
    assert sorted((line["fate"], line["message_id"]) for line in lines) == [
        ("duplicate", ""), ("duplicate", "m1"), ("quarantined", ""), ("taken", "m1"), ("taken", "m2"),
    ]  # fmt: skip
    bad = next(line for line in lines if line["fate"] == "quarantined")
    assert (bad["stage"], bad["reason"], bad["source"]) == ("collect", "undecodable", "shop")
    shown = tail("-n", "6")
    assert "other" in shown
    assert "\x1b" not in shown
    assert shown.count("taken") == 3

    (deployment.home / "rules").mkdir()
    (deployment.home / "rules/sources.yaml").write_text("sources: [{name: shop, channel: web}]")
    deployment.environment["STITCHLINE_RULES_DIR"] = str(deployment.home / "rules")
    inferred = deployment.json("plan", "infer", "shop")
    assert inferred["events"] == 3
    assert "\\u001b[2J" in inferred["yaml"]
