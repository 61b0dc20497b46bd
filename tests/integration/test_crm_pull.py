"""``stitchline crm pull`` on the real broker, against an emulated HubSpot behind a real socket."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Decoder
from pipeline.identity.messages import Command
from pipeline.kafka.reading import Reading, partitions_of
from pipeline.local.broker import Broker
from pipeline.topics import DLQ, EVENTS, LEDGER, LINKS, MARKS, READERS, Topic
from tests.crm.emulator import SECRET
from tests.crm.hubspot_journal import APP_SECRET, JournaledHubSpot
from tests.crm.hubspot_read_side import ReadableHubSpot
from tests.support import children
from tests.support.crm_server import served
from tests.support.waiting import deadline_seconds, eventually

pytestmark = pytest.mark.kafka

RULES = """
connections:
  - name: hub
    kind: hubspot
    secret: file:{folder}/key
    url: {url}
    requests: 100000
    timeout_seconds: 5
    back:
      delay_seconds: 0
      since_days: 5
      every_seconds: 0.1
      currency: EUR
      traits:
        - {{field: firstname, trait: firstName, of: [contacts]}}
"""
JOURNAL = """
      overlap_minutes: 0
      journal: {{portal: 4711, client_id: app-1, secret: "file:{folder}/app"}}
"""


class Deployment:
    """Topics, rules and the emulated account."""

    def __init__(
        self, kafka: Broker, prefix: str, folder: Path, url: str, hub: ReadableHubSpot, more: str = ""
    ) -> None:
        self.hub, self.prefix = hub, prefix
        self.kafka: dict[str, str | int] = {"bootstrap.servers": kafka.bootstrap_servers}
        (folder / "key").write_text(hub.secrets[SECRET], encoding="utf-8")
        (folder / "rules").mkdir()
        (folder / "rules" / "crm.yaml").write_text((RULES + more).format(folder=folder, url=url), encoding="utf-8")
        self.environment = {
            **os.environ, "STITCHLINE_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "STITCHLINE_TOPIC_PREFIX": prefix,
            "STITCHLINE_APPLICATION_ID": prefix, "STITCHLINE_RULES_DIR": str(folder / "rules"),
        }  # fmt: skip
        topics = [NewTopic(one.of(prefix), 2, 1) for one in (EVENTS["crm"], LINKS, DLQ, LEDGER, READERS, MARKS)]
        admin = AdminClient(self.kafka)
        for created in admin.create_topics(topics).values():
            created.result(deadline_seconds())

    def start(self, *arguments: str, command: str = "pull") -> subprocess.Popen[str]:
        code = "from pipeline.cli import main; main()"
        return children.start(
            [sys.executable, "-c", code, "crm", command, "hub", *arguments], env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def drain(self, code: int = 0) -> Any:
        return self.run("--drain", "--json", code=code)

    def run(self, *arguments: str, command: str = "pull", code: int = 0) -> Any:
        process = self.start(*arguments, command=command)
        out, err = process.communicate(timeout=deadline_seconds())
        assert process.returncode == code, (out, err)
        return msgspec.json.decode(out)

    def values(self, topic: Topic) -> list[bytes]:
        name = topic.of(self.prefix)
        reading = Reading(self.kafka, name, range(partitions_of(self.kafka, name)))
        return [bytes(message.value() or b"") for batch in reading.batches() for message in batch]

    def events(self) -> list[dict[str, Any]]:
        decode = Decoder(EVENTS["crm"].value, schema_ids("").writer)
        return [decode(value) for value in self.values(EVENTS["crm"])]


@pytest.fixture
def deployment(kafka: Broker, topic_prefix: str, tmp_path: Path) -> Iterator[Deployment]:
    hub = ReadableHubSpot(lambda: time.time_ns() // 1_000_000)
    with served(hub) as url:
        yield Deployment(kafka, topic_prefix, tmp_path, url, hub)


def test_a_pull_that_is_killed_resumes_without_loss_or_repetition(deployment):
    hub = deployment.hub
    people = [hub.put("contacts", email=f"c{number}@shop.example", firstname="A") for number in range(1_200)]
    deal = hub.put("deals", dealstage="won", amount="99.50", deal_currency_code="EUR", hs_is_closed_won="true")
    hub.link("deals", deal, "contacts", people[0])

    pull = deployment.start()
    eventually(lambda: len(deployment.values(READERS)) > 0 or pull.poll() is not None, "the pull commits")
    assert pull.poll() is None, pull.stderr.read()
    pull.send_signal(signal.SIGKILL)
    pull.communicate()
    deployment.drain()
    happened = Counter((event["event"] or event["type"], event["identifiers"][0]) for event in deployment.events())
    assert len(happened) == 1_202
    assert set(happened.values()) == {1}

    # A merge is a decision on the links topic; what INTAKE would refuse is quarantined, with the exit code saying so.
    third = hub.merge_by_hand(people[1], people[2])
    hub.put("deals", deal, amount="100", deal_currency_code="EURO")
    assert deployment.drain(code=3)["rejected"] == 1
    commands = [msgspec.msgpack.decode(value, type=Command) for value in deployment.values(LINKS)]
    assert {(command.a, command.b) for command in commands} == {
        (f"crm_contact_id:{one}", f"crm_contact_id:{third}") for one in people[1:3]
    }
    assert len(deployment.values(DLQ)) == 1
    assert deployment.drain()["events"] == 0


def test_a_second_pull_takes_over(deployment):
    first = deployment.start()
    deployment.hub.put("contacts", email="c1@shop.example", firstname="A")
    eventually(lambda: len(deployment.events()) == 1 or first.poll() is not None, "the first pull commits")
    assert first.poll() is None, first.stderr.read()
    second, started = deployment.start(), len(deployment.hub.calls)
    eventually(lambda: second.poll() is not None or len(deployment.hub.calls) > started + 20, "the second pull reads")
    deployment.hub.put("contacts", email="c2@shop.example", firstname="B")
    first.wait(deadline_seconds())
    assert first.returncode == 1
    assert "another process" in first.stderr.read()
    eventually(lambda: len(deployment.events()) == 2, "the second pull commits")
    second.send_signal(signal.SIGTERM)
    assert second.wait(deadline_seconds()) == 0


def test_setup_subscribes_and_a_pull_reads_the_journal(kafka, topic_prefix, tmp_path):
    hub = JournaledHubSpot(lambda: time.time_ns() // 1_000_000)
    with served(hub) as url:
        hub.files_url = url
        (tmp_path / "app").write_text(hub.secrets[APP_SECRET], encoding="utf-8")
        deployment = Deployment(kafka, topic_prefix, tmp_path, url, hub, JOURNAL)
        assert len(deployment.run("--dry-run", "--json", command="setup", code=6)) > 15
        assert all(one["ok"] for one in deployment.run("--json", command="setup"))
        ann = hub.put("contacts", email="c1@shop.example", firstname="Ann")
        hub.put("contacts", email="c2@shop.example", firstname="Ben")
        assert deployment.drain()["events"] == 2
        hub.put("contacts", ann, firstname="Anna")
        hub.calls.clear()
        assert deployment.drain() == {"changes": 1, "events": 1, "echoes": 0, "rejected": 0, "gaps": 0}
        assert any("/journal-files/" in call for call in hub.calls)
