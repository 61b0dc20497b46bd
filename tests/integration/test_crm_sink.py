"""``stitchline crm`` on the real broker, against an emulated HubSpot behind a real socket."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import httpx2
import msgspec
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Encoder
from pipeline.local.broker import Broker
from pipeline.topics import ACTION_DLQ, ACTIONS, LEDGER
from tests.crm.emulator import SECRET
from tests.crm.hubspot_emulator import HubSpot
from tests.crm.world import action
from tests.support import children
from tests.support.crm_server import served
from tests.support.waiting import deadline_seconds, eventually

pytestmark = pytest.mark.kafka

RULES = """
connections:
  - name: shop
    kind: hubspot
    secret: file:{folder}/key
    url: {url}
    requests: 100000
    timeout_seconds: 1
    deleted: recreate
    fields:
      - {{to: email, value: contact.email}}
    owners:
      - {{rep: ann, id: "10"}}
"""


class Shop:
    """One deployment: topics, rules, and the emulated account."""

    def __init__(self, kafka: Broker, prefix: str, folder: Path, url: str, crm: HubSpot) -> None:
        self.crm, self.prefix, self.servers = crm, prefix, kafka.bootstrap_servers
        (folder / "key").write_text("s-1", encoding="utf-8")
        (folder / "rules").mkdir()
        (folder / "rules" / "crm.yaml").write_text(RULES.format(folder=folder, url=url), encoding="utf-8")
        self.environment = {
            **os.environ,
            "STITCHLINE_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "STITCHLINE_TOPIC_PREFIX": prefix,
            "STITCHLINE_APPLICATION_ID": prefix,
            "STITCHLINE_RULES_DIR": str(folder / "rules"),
        }
        topics = [NewTopic(topic.of(prefix), 4, 1) for topic in (ACTIONS, ACTION_DLQ, LEDGER)]
        admin = AdminClient({"bootstrap.servers": self.servers})
        for created in admin.create_topics(topics).values():
            created.result(deadline_seconds())
        self._encode = Encoder(ACTIONS.value, schema_ids("").id_of(ACTIONS.of(prefix), ACTIONS.value))
        self._producer = confluent_kafka.Producer({"bootstrap.servers": self.servers})

    def send(self, *bodies: dict[str, Any]) -> None:
        for body in bodies:
            self._producer.produce(ACTIONS.of(self.prefix), self._encode(body), body["profile_id"])
        self._producer.flush()

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        code = "from pipeline.cli import main; main()"
        return children.start(
            [sys.executable, "-c", code, *arguments], env={**self.environment, **environment},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: str, code: int = 0) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=deadline_seconds())
        assert process.returncode == code, (out, err)
        return out

    def json(self, *arguments: str) -> Any:
        return msgspec.json.decode(self.run(*arguments, "--json"))


@pytest.fixture
def shop(kafka: Broker, topic_prefix: str, tmp_path: Path) -> Iterator[Shop]:
    crm = HubSpot()
    with served(crm) as url:
        yield Shop(kafka, topic_prefix, tmp_path, url, crm)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_deployment_from_setup_to_reconciliation(shop):
    missing = shop.run("crm", "check", "shop", code=6)
    assert "property stitchline_action of contacts" in missing
    shop.run("crm", "setup", "shop")
    shop.run("crm", "check", "shop")

    # Kill -9 in the middle, then a second process.
    shop.send(*(action(number) for number in range(300)))
    shop.send(action(300, contact={"email": "x@y.invalid"}))
    sink = shop.start("crm", "sink", "shop")
    eventually(lambda: len(shop.crm.leads()) > 0 or sink.poll() is not None, "the sink writes", interval_seconds=0.002)
    assert sink.poll() is None, sink.stderr.read()
    sink.send_signal(signal.SIGKILL)
    sink.communicate()
    done = shop.json("crm", "sink", "shop", "--drain")
    assert len(shop.crm.leads()) == 300
    assert done["quarantined"] <= 1
    assert len(shop.crm.objects["notes"]) == 300

    # The refused action is in the DLQ of actions, and goes back after its cause is removed.
    listed = shop.json("dlq", "ls", "--actions")
    assert [(count["reason"], count["records"]) for count in listed["counts"]] == [("sink_refused", 1)]
    shown = shop.json("dlq", "show", listed["newest"][0]["place"], "--actions")
    assert shown["decoded"]["contact"] == {"email": "x@y.invalid"}
    assert shop.json("dlq", "replay", "--actions")["replayed"] == {"sink_refused": 1}
    assert shop.json("crm", "sink", "shop", "--drain")["quarantined"] == 1

    # Deviations by hand.
    ids = {lead["action"]: name for name, lead in shop.crm.leads().items()}
    by_number = [ids[f"{number:032x}"] for number in range(300)]
    shop.crm.delete_by_hand(by_number[1])
    shop.crm.merge_by_hand(by_number[2], by_number[3])
    shop.crm.edit_by_hand(by_number[4], revision="0")
    report = shop.json("crm", "reconcile", "shop")
    assert sorted(item["kind"] for item in report["deviations"]) == ["deleted", "merged", "merged", "older"]
    assert report["rows"] == 300
    repaired = shop.json("crm", "reconcile", "shop", "--fix")["repaired"]
    assert repaired == {"repointed": 2, "delivered": 2, "left": 0}
    left = shop.json("crm", "reconcile", "shop")["deviations"]
    assert [item["kind"] for item in left] == ["changed"]


def test_a_second_process_takes_over_and_the_pages_give_reasons(shop):
    shop.run("crm", "setup", "shop")
    port = free_port()
    first = shop.start("crm", "sink", "shop", STITCHLINE_HTTP_PORT=str(port))
    shop.send(action(1))
    eventually(lambda: len(shop.crm.leads()) == 1 or first.poll() is not None, "the first delivers")
    assert httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    delivered = 'stitchline_crm_outcomes_total{outcome="delivered",sink="shop"} 1.0'
    metrics = f"http://127.0.0.1:{port}/metrics"  # the CRM holds the lead before its answer is counted
    eventually(lambda: delivered in httpx2.get(metrics).text or first.poll() is not None, "the delivery is counted")
    assert delivered in httpx2.get(metrics).text
    shop.crm.secrets[SECRET] = "s-2"
    shop.send(action(2))
    reasons = f"http://127.0.0.1:{port}/readyz"
    eventually(lambda: "key_refused, HTTP 401" in httpx2.get(reasons).text, "the reason is given")
    shop.crm.secrets[SECRET] = "s-1"

    second = shop.start("crm", "sink", "shop")
    shop.send(action(3))
    _, err = first.communicate(timeout=deadline_seconds())
    assert first.returncode == 1
    assert "another process delivers to this sink now" in err
    eventually(lambda: len(shop.crm.leads()) == 3 or second.poll() is not None, "the second delivers")
    second.send_signal(signal.SIGTERM)
    out, err = second.communicate(timeout=deadline_seconds())
    assert second.returncode == 0, err
    assert "needed no delivery" in out


def test_what_is_not_declared_is_refused(shop):
    process = shop.start("crm", "sink", "other")
    _, err = process.communicate(timeout=deadline_seconds())

    assert process.returncode == 2
    assert "crm.yaml has no connection 'other'; it has shop" in err
