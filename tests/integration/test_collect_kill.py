r"""The collector is killed again and again under load, and the broker goes away: what was acknowledged counts once.

``STITCHLINE_SEEDS`` is the number of kills (default 1), not counting one more in each outage of the broker, and
``COLLECT_EVENTS`` the number of events between two steps (default 300). At one kill in seven the
broker is away and the spool runs full: the answers are then 503, and the clients send again. The events are read from
the topics through INTAKE's logic, partition by partition, as a worker would read them. Each batch holds one more item,
which is rejected: the quarantine lists it once, and its repetitions as such. A long run by hand:

    STITCHLINE_SEEDS=20 COLLECT_EVENTS=40000 COLLECT_BATCH=100 COLLECT_PAUSE=0 \
        pytest -s tests/integration/test_collect_kill.py
"""

import http.client
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from connectors.collect.source_edit import SourceText, with_source
from connectors.collect.write_keys import hash_of
from pipeline.avro.wire import Decoder
from pipeline.event.avro import from_avro
from pipeline.event.intake import Intake, IntakeEffects
from pipeline.kafka.partitioner import partition_of
from pipeline.local.kafka import LocalKafka
from pipeline.local.ports import free_ports
from pipeline.query.quarantine import entry_of, listing
from pipeline.rules.load import load_rules
from pipeline.rules.normalisers import normalisers
from pipeline.settings import Settings
from pipeline.testing.table import MemorySeenIds, MemoryTable
from pipeline.topics import DLQ, EVENTS
from tests.support import children
from tests.support.records import committed
from tests.support.waiting import deadline_seconds, eventually

KILLS = int(os.environ.get("STITCHLINE_SEEDS", "1"))
STEP_EVENTS = int(os.environ.get("COLLECT_EVENTS", "300"))
KEY = "wk_killed"
CLIENTS, PARTITIONS = 4, 3
BATCH = int(os.environ.get("COLLECT_BATCH", "10"))
SPOOL_BYTES = max(1 << 20, 500 * STEP_EVENTS)
PAUSE_SECONDS = float(os.environ.get("COLLECT_PAUSE", "0.02"))
"""Of a client between two batches, so that most of the machine is left to what is tested."""
RULES = load_rules()


class Collector:
    """``stitchline collect`` as a child process, which a test kills and starts again on the same port."""

    def __init__(self, home: Path, settings: Settings) -> None:
        self.port = free_ports(1)[0]
        rules = home / "rules"
        rules.mkdir()
        (rules / "sources.yaml").write_text(with_source("", SourceText("shop", "web", hash_of(KEY))))
        self._environment = {
            **os.environ,
            "STITCHLINE_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "STITCHLINE_TOPIC_PREFIX": settings.topic_prefix,
            "STITCHLINE_PARTITIONS": str(PARTITIONS),
            "STITCHLINE_HOME": str(home),
            "STITCHLINE_RULES_DIR": str(rules),
            "STITCHLINE_COLLECT_PORT": str(self.port),
            "STITCHLINE_COLLECT_ACK_TIMEOUT_MS": "500",
            "STITCHLINE_COLLECT_SPOOL_BYTES": str(SPOOL_BYTES),
        }
        self.process: subprocess.Popen[bytes]
        self.spool = home / "collect" / "spool"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "pipeline.cli", "collect"]
        self.process = children.start(command, env=self._environment, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(deadline_seconds())

    def answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def spooled_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.spool.glob("*.spool") if path.exists())


class Client(threading.Thread):
    """Sends batches, each again until it is acknowledged. Stops between batches."""

    def __init__(self, port: int, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._port, self._number, self._stop_asked = port, number, stop
        self.acknowledged: list[str] = []
        self.repeated = self.refused = self.rejected = 0
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        for place in itertools.count():
            if self._stop_asked.is_set():
                self._close()
                return
            ids = [f"{self._number}-{place}-{item}" for item in range(BATCH)]
            events = [
                {"type": "track", "event": "x", "messageId": name, "userId": f"u{random.randrange(200)}"}
                for name in ids
            ]
            bad = {"type": "track", "event": "", "messageId": f"bad-{self._number}-{place}"}
            while not self._sent(msgspec.json.encode({"batch": [*events, bad]})):
                self.repeated += 1
                time.sleep(0.05)
            self.acknowledged += ids
            self.rejected += 1
            time.sleep(PAUSE_SECONDS)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _sent(self, body: bytes) -> bool:
        headers = {"Authorization": "Basic " + b64encode(f"{KEY}:".encode()).decode()}
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            self._connection.request("POST", "/v1/batch", body, headers)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException):
            self._close()
            return False
        self.refused += response.status == 503
        return response.status == 200 and msgspec.json.decode(answer)["accepted"] == BATCH


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[LocalKafka]:
    """A broker of this test's own, because the test stops it."""
    kafka = LocalKafka(tmp_path / "kafka", port=free_ports(1)[0])
    kafka.start()
    yield kafka
    kafka.stop()


@pytest.mark.kafka
def test_what_was_acknowledged_is_counted_once_whatever_is_killed(own_kafka: LocalKafka, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    settings = Settings(
        bootstrap_servers=own_kafka.bootstrap_servers, topic_prefix="kill", partitions=PARTITIONS, home=home
    )
    collector = Collector(home, settings)
    eventually(collector.answers, "the collector listens")
    stop = threading.Event()
    clients = [Client(collector.port, number, stop) for number in range(CLIENTS)]
    for client in clients:
        client.start()

    def acknowledged() -> int:
        return sum(len(client.acknowledged) for client in clients)

    def progress(more: int, since: int | None = None) -> None:
        target = more + (acknowledged() if since is None else since)
        eventually(lambda: acknowledged() >= target, f"{more} more events are acknowledged")

    def until_full() -> None:
        before = sum(client.refused for client in clients)
        eventually(lambda: sum(client.refused for client in clients) > before, "the spool is full")

    for number in range(KILLS):
        progress(STEP_EVENTS)
        if number % 7 == 0:  # the broker goes away, and the collector is killed while it spools
            before_outage = acknowledged()  # the spool may be full by the time at which the broker has stopped
            own_kafka.stop()
            eventually(collector.spooled_bytes, "the collector spools")
            progress(STEP_EVENTS, since=before_outage)
            collector.kill()
            collector.start()
            until_full()
            own_kafka.start()
        collector.kill()
        collector.start()
    progress(STEP_EVENTS)
    stop.set()
    for client in clients:
        client.join(deadline_seconds())
    eventually(lambda: collector.spooled_bytes() == 0, "the spool is drained")
    collector.process.send_signal(signal.SIGTERM)
    assert collector.process.wait(deadline_seconds()) == 0

    counted, records = counted_by_intake(settings)
    sent = [name for client in clients for name in client.acknowledged]
    assert len(set(sent)) == len(sent)
    assert set(counted.values()) == {1}
    assert set(sent) - counted.keys() == set()
    quarantined = [entry_of(message) for message in committed(settings, DLQ)]
    listed = listing(quarantined, 0)
    assert listed.total == sum(client.rejected for client in clients)
    assert listed.total + listed.repeats == len(quarantined)
    repeated, refused = (sum(getattr(client, name) for client in clients) for name in ("repeated", "refused"))
    print(f"{len(sent)} acknowledged, {records} records, {repeated} batches sent again, {refused} of them after 503")
    print(f"{listed.total} items quarantined, {listed.repeats} of them again")


def counted_by_intake(settings: Settings) -> tuple[Counter[str], int]:
    """How often INTAKE counts each message id, and how many records there are."""
    decode, counted, records = Decoder("event-web"), Counter[str](), 0
    intakes = {
        number: Intake(
            RULES.intake, RULES.identifiers, normalisers("US"), MemoryTable(), MemorySeenIds(),
            partition_is_right=lambda key, number=number: partition_of(key, PARTITIONS) == number,
        )
        for number in range(PARTITIONS)
    }  # fmt: skip
    for message in committed(settings, EVENTS["web"]):
        event = from_avro("web", decode(message.value()))
        key, now_ms = message.key().decode(), event.timestamp_ms
        result = intakes[message.partition()].on_event(event, key=key, now_ms=now_ms)
        records += 1
        if isinstance(result, IntakeEffects):
            counted[event.message_id] += 1
    return counted, records
