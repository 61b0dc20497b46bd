"""``stitchline ingest`` against the real broker: every record once, whatever kills it and however often it runs."""

import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections import Counter
from pathlib import Path

import confluent_kafka
import msgspec
import pytest
from confluent_kafka import TopicPartition
from typer.testing import CliRunner

from connectors.sources.delivery import Delivery, DeliveryError
from connectors.sources.outgoing import Outgoing
from pipeline.avro.wire import Decoder
from pipeline.cli import app
from pipeline.kafka.admin import ensure_topics
from pipeline.kafka.partitioner import partition_of
from pipeline.local.broker import Broker
from pipeline.settings import Settings
from pipeline.testing.build import event_json
from pipeline.topics import EVENTS
from tests.support import children
from tests.support.signals import kept_signal_handlers
from tests.support.waiting import deadline_seconds, eventually

pytestmark = pytest.mark.kafka

PARTITIONS = 4


class Command:
    """The command of one test, with its own topics and home, and what committed readers see of its work."""

    def __init__(self, kafka: Broker, prefix: str, home: Path) -> None:
        self.servers, self.prefix, self.home = kafka.bootstrap_servers, prefix, home
        self._progress: list[bytes] = []
        self._environment = {
            **os.environ,
            "STITCHLINE_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "STITCHLINE_TOPIC_PREFIX": prefix,
            "STITCHLINE_APPLICATION_ID": prefix,
            "STITCHLINE_PARTITIONS": str(PARTITIONS),
            "STITCHLINE_HOME": str(home),
        }

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        code = "import typer; from pipeline.cli.ingest import ingest; typer.run(ingest)"
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return children.start(command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments: str | Path, code: int = 0) -> dict:
        """Runs the command in this process, which saves a start of Python, to its end."""
        with kept_signal_handlers():
            done = CliRunner().invoke(app, ["ingest", "--json", *map(str, arguments)], env=self._environment)
        assert done.exit_code == code, done.output
        return msgspec.json.decode(done.stdout)["files"][0] | {"said": done.stderr}

    def wait_for_a_commit(self, process: subprocess.Popen[str]) -> None:
        """Until the progress file is another than it was at the last call, or the process is done."""

        def moved() -> bool:
            before, self._progress = (
                self._progress,
                [file.read_bytes() for file in (self.home / "ingest").glob("*.json")],
            )
            return self._progress != before or process.poll() is not None

        eventually(moved, "ingest has committed", interval_seconds=0.002)

    def committed(self, channel: str = "web") -> list[confluent_kafka.Message]:
        """Every committed record of a channel's topic."""
        topic = EVENTS[channel].of(self.prefix)
        consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": f"{self.prefix}-reader",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "enable.auto.commit": False,
            }
        )
        partitions = consumer.list_topics(topic, timeout=deadline_seconds()).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        result, ended = [], set()
        while len(ended) < len(partitions):
            for message in consumer.consume(5000, 1.0):
                if message.error() is None:
                    result.append(message)
                else:
                    assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
                    ended.add(message.partition())
        consumer.close()
        return result

    def message_ids(self, channel: str = "web") -> Counter[str]:
        decode = Decoder(f"event-{channel}")
        return Counter(decode(message.value())["message_id"] for message in self.committed(channel))


@pytest.fixture
def command(kafka: Broker, topic_prefix: str, tmp_path: Path) -> Command:
    return Command(kafka, topic_prefix, tmp_path / "home")


def event(number: int, channel: str = "web") -> dict:
    who, what = {"userId": f"u{number % 101}"}, {"properties": {"sku": f"K-{number % 15}"}}
    return event_json(number, start_ms=1_782_909_000_000, step_ms=1, channel=channel, **who, **what)


def write(path: Path, documents: list[dict]) -> Path:
    body = b"".join(msgspec.json.encode(document) + b"\n" for document in documents)
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return path


def test_events_land_on_their_channels_topic_and_their_anchors_partition(command, tmp_path):
    path = write(tmp_path / "events.ndjson.gz", [event(n, "pos" if n % 3 else "web") for n in range(300)])

    report = command.run(path)

    assert (report["delivered"], report["rejected"]) == (300, {})
    assert command.message_ids("web") == Counter(f"m{n}" for n in range(0, 300, 3))
    assert command.message_ids("pos") == Counter(f"m{n}" for n in range(300) if n % 3)
    for message in command.committed("web"):
        assert message.partition() == partition_of(message.key().decode(), PARTITIONS)
    order = [message.value() for message in command.committed("web") if message.key() == b"default/user_id:u0"]
    numbers = [int(Decoder("event-web")(value)["message_id"][1:]) for value in order]
    assert numbers == sorted(numbers)


def test_bad_records_are_reported_by_line_kept_byte_identical_and_give_exit_code_3(command, tmp_path):
    path, rejects = tmp_path / "events.ndjson", tmp_path / "rejects.ndjson"
    bad = [b'{"type":', b'{"a":"\xff\xfe"}', msgspec.json.encode(event(7) | {"userId": None}), b"[]"]
    lines = [msgspec.json.encode(event(n)) for n in range(5)]
    path.write_bytes(b"\n".join(line for pair in zip(lines, bad, strict=False) for line in pair))

    report = command.run(path, "--rejects", rejects, code=3)

    assert report["delivered"] == 4
    assert report["rejected"] == {"invalid_field": 1, "no_identifier": 1, "undecodable": 2}
    assert f"{path}:2 undecodable: not JSON" in report["said"]
    assert f"{path}:6 no_identifier" in report["said"]
    kept = [msgspec.json.decode(line) for line in rejects.read_bytes().splitlines()]
    assert [line["line"] for line in kept] == [2, 4, 6, 8]
    assert [line["raw"].encode() if "raw" in line else b64decode(line["raw_base64"]) for line in kept] == bad
    assert command.message_ids() == Counter(f"m{n}" for n in range(4))


def test_a_file_killed_again_and_again_is_delivered_exactly_once(command, tmp_path):
    count = 25_000
    path = write(tmp_path / "events.ndjson", [event(n) for n in range(count)])
    seeded = random.Random(3)
    kills = 0
    while kills < 3:
        process = command.start(path)
        command.wait_for_a_commit(process)
        time.sleep(seeded.uniform(0, 0.2))  # the moment of death is what varies: nothing is waited for
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1

    report = command.run(path)

    ids = command.message_ids()
    assert report["resumed_after"] > 0
    assert ids == Counter(f"m{n}" for n in range(count)), f"{len(ids)} ids, {ids.total()} records"


def test_running_again_delivers_nothing_without_restart(command, tmp_path):
    path = write(tmp_path / "events.ndjson", [event(n) for n in range(10)])
    command.run(path)

    renamed = command.run(path.rename(tmp_path / "renamed.ndjson"))
    shutil.rmtree(command.home / "ingest")
    from_kafka = command.run(tmp_path / "renamed.ndjson")

    for again in (renamed, from_kafka):
        assert (again["delivered"], again["resumed_after"]) == (0, 10)
    assert command.run(tmp_path / "renamed.ndjson", "--restart")["delivered"] == 10
    assert command.message_ids() == Counter({f"m{n}": 2 for n in range(10)})


def test_a_file_that_grew_is_continued_and_of_one_that_changed_what_is_new_is_delivered(command, tmp_path):
    lines = [event(n) for n in range(2_000)]
    path = write(tmp_path / "events.ndjson", lines)
    command.run(path)

    write(path, [*lines, event(2_000)])
    grown = command.run(path)
    corrected = event(1_000) | {"messageId": "m1000-corrected", "properties": {"revenue": 5}}
    write(path, [*lines[:1_000], corrected, *lines[1_001:], event(2_000), event(2_001)])
    changed = command.run(path)

    assert (grown["delivered"], grown["resumed_after"], grown["changed"]) == (1, 2_000, False)
    assert (changed["delivered"], changed["unchanged"], changed["changed"]) == (2, 2_000, True)
    assert "has changed since it was delivered" in changed["said"]
    assert command.message_ids() == Counter([*(f"m{n}" for n in range(2_002)), "m1000-corrected"])
    assert command.run(path)["delivered"] == 0


def test_two_runs_over_the_same_file_at_once_deliver_it_exactly_once(command, tmp_path):
    path = write(tmp_path / "events.ndjson", [event(n) for n in range(25_000)])
    first = command.start(path)
    command.wait_for_a_commit(first)

    command.run(path)

    _, err = first.communicate(timeout=deadline_seconds())
    assert first.returncode == 0 or "another ingest of this file has taken over" in err
    assert command.message_ids() == Counter(f"m{n}" for n in range(25_000))


def test_a_delivery_that_was_taken_over_says_so_at_one_of_its_next_records(command):
    ensure_topics(Settings(bootstrap_servers=command.servers, topic_prefix=command.prefix, partitions=PARTITIONS))
    config, topic = {"bootstrap.servers": command.servers}, EVENTS["web"].of(command.prefix)
    record = Outgoing(topic, "key", b"value")

    with Delivery(config, command.prefix, topic) as first:
        first.add(record)
        with Delivery(config, command.prefix, topic), pytest.raises(DeliveryError, match="has taken over"):
            eventually(lambda: first.add(record), "the first delivery is refused")


def test_a_table_is_delivered_by_its_mapping_and_again_with_a_corrected_one(command, tmp_path):
    path, mapping = tmp_path / "till.csv", tmp_path / "till.yaml"
    path.write_text("receipt,day,card,total\nR1,20260701,4711,19.90\nR2,20260702,4712,5.00\n")
    wrong = (
        "timestamp: {column: day, format: '%d.%m.%Y'}\nidentifiers: {loyalty_id: card}\nmessage_id: receipt\n"
        "constants: {type: track, event: order_completed}\ncolumns: {total: {to: properties.total, as: number}}\n"
    )
    mapping.write_text(wrong)
    assert command.run(path, "--mapping", mapping, "--channel", "pos", code=3)["delivered"] == 0

    mapping.write_text(wrong.replace("%d.%m.%Y", "%Y%m%d"))
    assert command.run(path, "--mapping", mapping, "--channel", "pos")["delivered"] == 2

    sent = {message.key(): Decoder("event-pos")(message.value()) for message in command.committed("pos")}
    assert sent[b"default/loyalty_id:4711"]["properties"] == '{"total":19.9}'


def test_an_interrupted_run_ends_cleanly_and_the_next_one_goes_on(command, tmp_path):
    path = write(tmp_path / "events.ndjson", [event(n) for n in range(25_000)])
    process = command.start(path)
    command.wait_for_a_commit(process)

    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=deadline_seconds())

    assert process.returncode == 130, err
    command.run(path)
    assert command.message_ids() == Counter(f"m{n}" for n in range(25_000))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("missing.ndjson", [], "No such file"),
        ("table.csv", [], "needs --mapping"),
    ],
)
def test_a_wrong_file_is_refused_with_what_to_do(command, tmp_path, name, options, message):
    (tmp_path / "table.csv").write_text("a,b\n")

    process = command.start(tmp_path / name, *options)
    _, err = process.communicate(timeout=deadline_seconds())

    assert process.returncode == 1
    assert message in err
