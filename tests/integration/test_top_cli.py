"""``top`` and ``leads tail`` on topics whose contents are known."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import confluent_kafka
import msgspec
import pytest

import schemas
from pipeline.avro.wire import Encoder
from pipeline.kafka.admin import ensure_topics
from pipeline.query.flow import FlowMeter
from pipeline.settings import Settings
from pipeline.topics import ACTIONS, CHANGES, DLQ, TOUCHES, UPDATES, Topic
from tests.support import children
from tests.support.waiting import deadline_seconds, eventually

PARTITIONS = 2


@pytest.fixture
def settings(kafka, topic_prefix) -> Settings:
    made = Settings(
        bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=topic_prefix,
        application_id=topic_prefix,
        partitions=PARTITIONS,
    )
    ensure_topics(made)
    return made


class Writer:
    """Writes records in transactions, and a group's offsets with them, as a worker does."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.producer = confluent_kafka.Producer({**settings.kafka(), "transactional.id": settings.application_id})
        self.producer.init_transactions(deadline_seconds())
        self._group = confluent_kafka.Consumer({**settings.kafka(), "group.id": settings.application_id})

    def add(self, topic: Topic, *values: bytes | dict) -> None:
        for value in values:
            data = value if isinstance(value, bytes) else Encoder(topic.value, schemas.own_id(topic.value))(value)
            self.producer.produce(topic.of(self._settings.topic_prefix), data, b"key", partition=0)

    def commit(self, *values: bytes | dict, topic: Topic) -> None:
        self.producer.begin_transaction()
        self.add(topic, *values)
        self.producer.commit_transaction(deadline_seconds())

    def took(self, topic: Topic, offset: int) -> None:
        place = confluent_kafka.TopicPartition(topic.of(self._settings.topic_prefix), 0, offset)
        self.producer.begin_transaction()
        self.producer.send_offsets_to_transaction([place], self._group.consumer_group_metadata(), deadline_seconds())
        self.producer.commit_transaction(deadline_seconds())

    def close(self) -> None:
        self._group.close()


@pytest.fixture
def writer(settings):
    made = Writer(settings)
    yield made
    made.close()


def command(settings: Settings, *arguments: str) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    names = ("bootstrap_servers", "topic_prefix", "application_id")
    chosen = {f"STITCHLINE_{name.upper()}": getattr(settings, name) for name in names}
    return children.running(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        env={**os.environ, **chosen}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def said(settings: Settings, *arguments: str) -> str:
    with command(settings, *arguments) as process:
        out, err = process.communicate(timeout=deadline_seconds())
    assert process.returncode == 0, err
    assert not err
    return out


def action(number: int, **more: object) -> dict:
    contact = {"firstName": "Ada", "lastName": f"Berg{number}", "email": f"ada{number}@example.com"}
    fields = {"action_id": f"id{number}", "profile_id": f"p{number}", "kind": "lead", "timestamp_ms": 9_000 - number}
    return fields | {"score": 71.0 + number, "threshold": 70.0, "contact": contact, "identifiers": ["user_id:u"]} | more


def lags(settings: Settings) -> dict[str, int]:
    """As the second of two looks sees them."""
    meter = FlowMeter(settings)
    try:
        meter.sample(time.monotonic())
        return {flow.stage: flow.lag for flow in meter.sample(time.monotonic())}
    finally:
        meter.close()


def test_one_picture_of_top_holds_all_there_is(settings, writer):
    writer.commit({"profile_id": "p1", "status": "active", "scores": {"engagement": 93.0}}, topic=UPDATES)
    writer.commit({"change": "merged"}, {"change": "refused"}, topic=CHANGES)
    writer.commit(b"rubbish", b"more", topic=DLQ)
    writer.commit(action(1), topic=ACTIONS)

    picture = msgspec.json.decode(said(settings, "top", "--once", "--json", "--interval", "0.2"))

    assert picture["complete"]
    assert picture["counts"] == {"customers": 1, "merges": 1, "leads": 1, "duplicates": 0, "quarantined": 2}
    assert [(lead["name"], lead["score"]) for lead in picture["hottest"]] == [("Ada Berg1", 93.0)]
    assert [stage["stage"] for stage in picture["stages"]] == ["intake", "stitch", "profile", "route"]
    assert "Ada Berg1" in said(settings, "top", "--once", "--interval", "0.2")


def test_top_goes_on_until_it_is_ended(settings):
    with command(settings, "top", "--json", "--interval", "0.2") as process:
        pictures = [msgspec.json.decode(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=deadline_seconds())

    assert process.returncode == 0, err
    assert [picture["counts"]["customers"] for picture in pictures] == [0, 0]


def test_lag_counts_records_that_wait_and_not_the_markers_of_transactions(settings, writer):
    writer.commit(b"1", b"2", b"3", topic=TOUCHES)
    waiting = {"intake": 0, "stitch": 0, "profile": 4, "route": 0}
    eventually(lambda: lags(settings) == waiting, "three records and a marker: not worth a look")

    writer.took(TOUCHES, 3)
    eventually(lambda: lags(settings)["profile"] == 0, "no record waits")

    writer.producer.begin_transaction()
    writer.add(TOUCHES, b"4")
    writer.producer.flush(deadline_seconds())
    assert lags(settings)["profile"] > 0, "an open transaction is work that is coming"

    writer.producer.abort_transaction(deadline_seconds())
    eventually(lambda: lags(settings)["profile"] == 0, "the broker has written the markers of the abort")


def test_leads_that_are_there_come_in_order_of_time_and_duplicates_are_called_so(settings, writer):
    writer.commit(action(1), action(2), action(3, kind="duplicate_of", duplicate_of="id1"), topic=ACTIONS)

    shown = said(settings, "leads", "tail", "--from-start", "--drain")
    lines = [line for line in shown.splitlines() if "Ada" in line]

    assert [name for line in lines for name in line.split() if name.startswith("Berg")] == ["Berg3", "Berg2", "Berg1"]
    assert "ada2@example.com · score 73 (lead from 70)" in shown
    assert "duplicate_of: close id3, keep id1" in shown
    as_json = said(settings, "leads", "tail", "--from-start", "--json", "-n", "2").splitlines()
    assert [msgspec.json.decode(line)["action_id"] for line in as_json] == ["id3", "id2"]


def test_leads_are_followed_until_ctrl_c(settings, writer):
    with command(settings, "leads", "tail", "--from-start") as process:
        writer.commit(action(1), topic=ACTIONS)
        assert "Berg1" in process.stdout.readline()
        writer.commit(action(2), topic=ACTIONS)
        followed = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=deadline_seconds())

    assert process.returncode == 0, err
    assert any("Berg2" in line for line in followed)


def test_without_topics_both_commands_name_the_action(settings):
    elsewhere = settings.model_copy(update={"topic_prefix": "nowhere"})
    for arguments in (("top", "--once"), ("leads", "tail")):
        with command(elsewhere, *arguments) as process:
            _, err = process.communicate(timeout=deadline_seconds())
        assert process.returncode == 1
        assert "no topic nowhere." in err
