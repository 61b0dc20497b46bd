"""The jsonl sink against the real broker: committed actions only, one line each, whatever kills it."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import confluent_kafka
import msgspec
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Encoder
from pipeline.kafka.dlq_headers import headers_as_facts
from pipeline.local.broker import Broker
from pipeline.topics import ACTION_DLQ, ACTIONS
from tests.support import children
from tests.support.waiting import deadline_seconds, eventually

pytestmark = pytest.mark.kafka


class Actions:
    """The actions topic of one test: a transactional producer of numbered actions."""

    def __init__(self, kafka: Broker, prefix: str) -> None:
        self.topic, self.dlq = ACTIONS.of(prefix), ACTION_DLQ.of(prefix)
        self.environment = {
            **os.environ,
            "STITCHLINE_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "STITCHLINE_TOPIC_PREFIX": prefix,
            "STITCHLINE_APPLICATION_ID": prefix,
        }
        self.servers = kafka.bootstrap_servers
        self._encode = Encoder(ACTIONS.value, schema_ids("").id_of(self.topic, ACTIONS.value))
        self.create()
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": kafka.bootstrap_servers,
                "transactional.id": prefix,
            }
        )
        self._producer.init_transactions()

    def create(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.servers})
        for created in admin.create_topics([NewTopic(self.topic, 4, 1), NewTopic(self.dlq, 1, 1)]).values():
            created.result(deadline_seconds())

    def send(self, numbers: range, *, commit: bool = True) -> None:
        self._producer.begin_transaction()
        for number in numbers:
            value = self._encode({"action_id": f"a{number}", "profile_id": f"p{number % 97}", "score": 1.5})
            self._producer.produce(self.topic, value, f"p{number % 97}")
        self._producer.flush()
        if commit:
            self._producer.commit_transaction()
        else:
            self._producer.abort_transaction()

    def quarantined(self, count: int) -> list[confluent_kafka.Message]:
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.servers, "group.id": "looks", "auto.offset.reset": "earliest"}
        )
        consumer.assign([confluent_kafka.TopicPartition(self.dlq, 0, 0)])
        result: list[confluent_kafka.Message] = []
        eventually(lambda: result.extend(consumer.consume(count, 0.2)) or len(result) == count, "the DLQ holds them")
        consumer.close()
        return result

    def sink(self, path: Path, *options: str) -> subprocess.Popen[str]:
        code = "from pipeline.cli.sink import app; app()"
        command = [sys.executable, "-c", code, "jsonl", str(path), *options]
        return children.start(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def actions(kafka: Broker, topic_prefix: str) -> Actions:
    return Actions(kafka, topic_prefix)


def ids(path: Path) -> list[str]:
    return [msgspec.json.decode(line)["action"]["action_id"] for line in path.read_bytes().splitlines()]


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def drained(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=deadline_seconds())
    assert process.returncode == 0, err
    return out


def test_committed_actions_become_one_line_each_and_aborted_ones_none(actions, tmp_path):
    path = tmp_path / "leads.jsonl"
    actions.send(range(50))
    actions.send(range(50, 60), commit=False)
    actions.send(range(60, 80))

    out = drained(actions.sink(path, "--drain", "--json"))

    assert msgspec.json.decode(out) == {"delivered": 70}
    assert Counter(ids(path)) == Counter(f"a{n}" for n in (*range(50), *range(60, 80)))
    first = msgspec.json.decode(path.read_bytes().splitlines()[0])
    assert first["action"]["score"] == 1.5
    by_person = [one for one in ids(path) if int(one[1:]) % 97 == 0]
    assert by_person == sorted(by_person)


def test_a_sink_killed_again_and_again_writes_every_action_once(actions, tmp_path):
    path = tmp_path / "leads.jsonl"
    total = 0
    for _ in range(3):
        actions.send(range(total, total + 2000))
        total += 2000
        before = lines(path)
        sink = actions.sink(path)
        eventually(lambda: lines(path) != before or sink.poll() is not None, "the sink writes", interval_seconds=0.001)  # noqa: B023
        assert sink.poll() is None, sink.stderr.read()
        sink.send_signal(signal.SIGKILL)
        sink.communicate()
        with path.open("ab") as torn:
            torn.write(b'{"partition":0,"off')

    drained(actions.sink(path, "--drain"))

    assert Counter(ids(path)) == Counter(f"a{number}" for number in range(total))


def test_a_sink_ends_cleanly_on_request(actions, tmp_path):
    path = tmp_path / "leads.jsonl"
    actions.send(range(10))
    sink = actions.sink(path)
    eventually(lambda: lines(path) >= 10, "ten actions are written", interval_seconds=0.01)

    sink.send_signal(signal.SIGTERM)

    assert "10 actions written" in drained(sink)


def test_a_topic_that_was_created_again_is_refused_and_the_file_kept(actions, tmp_path):
    path = tmp_path / "leads.jsonl"
    path.write_bytes(b'{"partition":0,"offset":999,"action":{"action_id":"old"}}\n')
    actions.send(range(10))

    sink = actions.sink(path, "--drain")
    _, err = sink.communicate(timeout=deadline_seconds())

    assert sink.returncode == 1
    assert "does not hold the sink's position" in err
    assert ids(path)[0] == "old"


def test_a_value_that_is_no_action_is_quarantined_byte_identical_and_the_sink_goes_on(actions, tmp_path):
    path = tmp_path / "leads.jsonl"
    producer = confluent_kafka.Producer({"bootstrap.servers": actions.servers})
    for partition, value in enumerate([b"garbage", b"", None]):
        producer.produce(actions.topic, value, b"key", partition=partition, headers=[("origin", b"x")])
    producer.flush()
    actions.send(range(40))

    sink = actions.sink(path, "--drain")
    _, err = sink.communicate(timeout=deadline_seconds())

    assert sink.returncode == 0
    assert "3 records were quarantined" in err
    assert Counter(ids(path)) == Counter(f"a{number}" for number in range(40))
    result = {message.value(): headers_as_facts(message.headers()) for message in actions.quarantined(3)}
    assert {(facts["stage"], facts["reason"]) for facts in result.values()} == {("sink", "undecodable")}
    assert {value: (facts["partition"], facts["offset"]) for value, facts in result.items()} == {
        b"garbage": ("0", "0"), b"": ("1", "0"), None: ("2", "0"),
    }  # fmt: skip
