"""``stitchline dlq`` and ``stitchline topics`` on a real broker, over what a real worker quarantined."""

import os
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest

from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Encoder
from pipeline.control.replay import CHUNK_RECORDS
from pipeline.event.avro import to_avro
from pipeline.event.parse import Defaults, parse_event
from pipeline.kafka.reading import Reading
from pipeline.local.broker import Broker
from pipeline.topics import ALL, DLQ, EVENTS
from tests.integration.small_deployment import PARTITIONS, Deployment
from tests.support.waiting import deadline_seconds

pytestmark = pytest.mark.kafka

WEB = EVENTS["web"]
GARBAGE = b"\x00\x00\x00\x00\x01 not Avro \xff\xfe"
TRUNCATED = 6
DYING_REPLAY = Path(__file__).with_name("dying_replay.py")
FUTURE_MS = time.time_ns() // 1_000_000 + 3_600_000


def encoded(**more: Any) -> bytes:
    event = parse_event(
        {
            "type": "track",
            "event": "product_viewed",
            "messageId": "m",
            "timestamp": FUTURE_MS,
            "channel": "web",
            **more,
        },
        Defaults(),
    )
    return Encoder(WEB.value, schema_ids("").id_of(WEB.name, WEB.value))(to_avro(event))


class Quarantine(Deployment):
    """A deployment whose web topic gets what the test says."""

    def send(self, records: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]) -> None:
        producer = confluent_kafka.Producer({**self.settings.kafka(), "partitioner": "murmur2_random"})
        for key, value, headers in records:
            producer.produce(WEB.of(self.settings.topic_prefix), value, key, headers=list(headers))
        assert producer.flush(deadline_seconds()) == 0

    def messages(self, topic: str) -> list[confluent_kafka.Message]:
        reading = Reading(self.settings.kafka(), f"{self.settings.topic_prefix}.{topic}", range(PARTITIONS))
        return [message for batch in reading.batches() for message in batch]

    def until_quarantined(self, count: int) -> None:
        self.until(lambda: len(self.messages(DLQ.name)) == count or None, f"{count} records in the DLQ")


@pytest.fixture
def quarantine(kafka: Broker, tmp_path) -> Iterator[Quarantine]:
    with Quarantine(kafka.bootstrap_servers, f"t{os.getpid()}-dlq-{time.monotonic_ns()}", tmp_path) as made:
        made.run("topics", "create")
        yield made


def quarantined(deployment: Quarantine) -> list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]:
    """Three reasons, four records, set aside by a worker that has left; what was sent."""
    sent = [
        (b"default/user_id:1", GARBAGE, [("trace", b"abc")]),
        (b"default/user_id:2", encoded(userId="2")[:TRUNCATED], []),
        (b"default/user_id:3", encoded(userId="3"), [("trace", b"\xff"), ("trace", b"again")]),
        (b"default/user_id:guest", encoded(userId="guest", timestamp=FUTURE_MS - 7_200_000), []),
    ]
    deployment.send(sent)
    worker = deployment.start_worker()
    deployment.until_quarantined(len(sent))
    deployment.end_worker(worker)
    return sent


def as_sent(
    messages: list[confluent_kafka.Message],
) -> list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]:
    return sorted(
        (m.key(), m.value(), [h for h in m.headers() or [] if not h[0].startswith("stitchline-")]) for m in messages
    )


def test_quarantined_records_are_counted_shown_and_replayed_once(quarantine):
    sent = quarantined(quarantine)

    listed = quarantine.json("dlq", "ls")
    assert {count["reason"]: count["records"] for count in listed["counts"]} == {
        "undecodable": 2, "from_the_future": 1, "no_identifier": 1,
    }  # fmt: skip
    assert {count["topic"] for count in listed["counts"]} == {WEB.of(quarantine.settings.topic_prefix)}
    assert listed["total"] == len(listed["newest"]) == 4
    assert "from_the_future" in quarantine.run("dlq", "ls").stdout

    future = quarantine.json("dlq", "ls", "--reason", "from_the_future")["newest"]
    shown = quarantine.json("dlq", "show", future[0]["place"])
    assert b64decode(shown["value_base64"]) == sent[2][1]
    assert shown["decoded"]["identifiers"] == ["user_id:3"]
    assert ["trace", "again"] in shown["headers"]

    dry = quarantine.json("dlq", "replay", "--dry-run")
    assert dry == {
        "dry_run": True, "replayed": {"undecodable": 2, "from_the_future": 1, "no_identifier": 1}, "not_replayable": 0,
    }  # fmt: skip
    assert len(quarantine.messages(WEB.name)) == 4

    assert quarantine.json("dlq", "replay", "--reason", "from_the_future")["replayed"] == {"from_the_future": 1}
    assert quarantine.json("dlq", "replay", "--reason", "from_the_future")["replayed"] == {}
    assert quarantine.json("dlq", "replay")["replayed"] == {"undecodable": 2, "no_identifier": 1}
    assert quarantine.json("dlq", "replay")["replayed"] == {}

    events = quarantine.messages(WEB.name)
    again = [m for m in events if any(name == "stitchline-replayed" for name, _ in m.headers() or [])]
    assert as_sent(again) == sorted(sent)
    assert len(events) == 8
    assert {(m.key(), m.partition()) for m in again} == {(m.key(), m.partition()) for m in events}

    worker = quarantine.start_worker()
    quarantine.until_quarantined(8)
    quarantine.end_worker(worker)
    newest = quarantine.json("dlq", "ls", "--newest", "4")["newest"]
    assert {entry["replayed"] for entry in newest} == {entry["place"] for entry in listed["newest"]}
    assert quarantine.json("dlq", "replay")["replayed"].keys() == {"undecodable", "from_the_future", "no_identifier"}
    third = quarantine.messages(WEB.name)[8:]
    assert all([name for name, _ in m.headers() or []].count("stitchline-replayed") <= 1 for m in third)


def test_replays_killed_before_and_after_a_commit_send_every_record_once_in_the_end(quarantine):
    count = 3 * CHUNK_RECORDS + 100
    producer = confluent_kafka.Producer(quarantine.settings.kafka())
    web, dlq = WEB.of(quarantine.settings.topic_prefix), DLQ.of(quarantine.settings.topic_prefix)
    facts = [("stitchline-reason", b"too_old"), ("stitchline-topic", web.encode())]
    for number in range(count):
        producer.produce(dlq, b"%d" % number, b"k%d" % number, headers=list(facts))
        producer.poll(0)
    assert producer.flush(deadline_seconds()) == 0

    for moment, commit in (("before", 2), ("after", 1)):
        command = [sys.executable, str(DYING_REPLAY), moment, str(commit)]
        done = subprocess.run(command, env=quarantine.environment, timeout=deadline_seconds(), check=False)
        assert done.returncode == -signal.SIGKILL

    assert quarantine.json("dlq", "replay")["replayed"] == {"too_old": count - 2 * CHUNK_RECORDS}
    result = quarantine.messages(WEB.name)
    assert Counter(m.value() for m in result) == Counter(b"%d" % number for number in range(count))


def test_wrong_arguments_are_refused_and_records_of_other_deployments_are_left(quarantine):
    producer = confluent_kafka.Producer(quarantine.settings.kafka())
    producer.produce(DLQ.of(quarantine.settings.topic_prefix), None, partition=0)
    facts = [("stitchline-reason", b"undecodable"), ("stitchline-topic", b"other.events.web.v1")]
    producer.produce(DLQ.of(quarantine.settings.topic_prefix), b"x" * 2000, headers=facts, partition=0)
    producer.flush(deadline_seconds())

    assert quarantine.json("dlq", "replay") == {"dry_run": False, "replayed": {}, "not_replayable": 2}
    assert "2 left" in quarantine.run("dlq", "replay").stderr
    shown = quarantine.run("dlq", "show", "0:1").stdout
    assert "78 78 78" in shown
    assert "976 bytes more" in shown
    assert "not one of this deployment's" in shown
    assert "tombstone" in quarantine.run("dlq", "show", "0:0").stdout
    assert "nothing at 0:7" in quarantine.run("dlq", "show", "0:7", code=4).stderr
    assert "nothing at 99:0" in quarantine.run("dlq", "show", "99:0", code=4).stderr
    assert "PARTITION:OFFSET" in quarantine.run("dlq", "show", "seven", code=2).stderr
    assert "--reason" in quarantine.run("dlq", "ls", "--reason", "mood", code=2).stderr


def test_topics_are_listed_with_what_is_missing_and_created_once(kafka, tmp_path, topic_prefix):
    with Deployment(kafka.bootstrap_servers, topic_prefix, tmp_path) as deployment:
        assert deployment.run("dlq", "ls", code=1).stderr.startswith(f"stitchline: no topic {topic_prefix}.events.dlq")
        missing = deployment.json("topics", "ls", code=6)
        assert [line["partitions"] for line in missing] == [0] * len(ALL)

        assert sorted(deployment.json("topics", "create")["created"]) == sorted(t.of(topic_prefix) for t in ALL)
        assert deployment.json("topics", "create") == {"created": []}

        lines = {line["name"]: line for line in deployment.json("topics", "ls")}
        assert lines[DLQ.of(topic_prefix)] == {
            "name": DLQ.of(topic_prefix), "partitions": PARTITIONS, "cleanup": "delete", "key": "as received",
            "value": "bytes",
        }  # fmt: skip
        assert WEB.of(topic_prefix) in deployment.run("topics", "ls").stdout
