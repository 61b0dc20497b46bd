"""A person's rights on a real Kafka: written out, erased everywhere, and back again as a new customer.

Longer than 20 s, because it starts a broker of its own and waits until that has compacted every topic, which it does at
once. The search for what is left is the tests' own: it looks for the values in every byte of every topic and of every
file of the workers.
"""

import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka
import msgspec
import pytest
from typer.testing import CliRunner

from pipeline.avro.wire import Decoder
from pipeline.cli import app
from pipeline.local.kafka import LocalKafka
from pipeline.testing.build import event_json
from pipeline.topics import ACTIONS, EVENTS, Topic
from tests.integration.small_deployment import PARTITIONS, Deployment
from tests.support.traces import BROKER, Traces

pytestmark = pytest.mark.kafka

START_MS = time.time_ns() // 1_000_000 - 3_600_000
SECRETS = ("nora.night@shop.example", "nora-4711", "phone-nn", "watch-nn", "desktop-nn", "cookie-nn-1", "cookie-nn-2")
"""The values of the planted person's identifiers: three devices, two cookies, an account and an e-mail address."""
ADDRESS = "Nora.Night@shop.example"
BUYING = ("quote_requested", "quote_requested", "checkout_started", "signed_up", "planner_used")
"""Together above the threshold of the shipped trigger."""


def event(number, **fields):
    return event_json(number, fields.pop("name", "product_viewed"), start_ms=START_MS, **fields)


LIFE = [
    event(1, anonymousId="cookie-nn-1"),
    event(2, anonymousId="cookie-nn-2", identifiers={"device_id": "tablet-nn"}, channel="app"),
    event(3, identifiers={"device_id": "phone-nn"}, channel="app"),
    event(4, type="identify", userId="nora-4711", anonymousId="cookie-nn-1", traits={"email": ADDRESS}),
    event(5, userId="nora-4711", anonymousId="cookie-nn-2"),
    event(6, userId="nora-4711", identifiers={"device_id": "phone-nn"}, channel="app"),
    event(7, userId="nora-4711", identifiers={"device_id": "desktop-nn"}, channel="app"),
    event(14, userId="nora-4711", identifiers={"device_id": "watch-nn"}, channel="app"),
    *(event(8 + n, userId="nora-4711", name=name) for n, name in enumerate(BUYING)),
]
"""Two merges of profiles that existed before the log-in, then a lead."""
OTHERS = [
    event(30, userId="bert", traits={"email": "bert@shop.example"}, type="identify"),
    event(31, userId="bert", identifiers={"device_id": "tablet-nn"}, channel="app"),
    *(event(32 + n, userId="bert", name=name) for n, name in enumerate(BUYING)),
]
"""Another customer, to whom a tablet of the person has gone over."""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("privacy")
    broker = LocalKafka(folder / "kafka", settings=BROKER).start()
    try:
        with Deployment(broker.bootstrap_servers, "cdp", folder / "home") as made:
            made.home.mkdir()
            made.run("topics", "create")
            _traces(made).compact_at_once()
            yield made
    finally:
        broker.stop()


def _traces(made: Deployment) -> Traces:
    return Traces(made.settings.bootstrap_servers, made.settings.topic_prefix, PARTITIONS, SECRETS)


def _quarantine(made: Deployment, prefix: str) -> None:
    """Sends two events of the person that are not Avro."""
    producer = confluent_kafka.Producer({"bootstrap.servers": made.settings.bootstrap_servers})
    topic: Topic = EVENTS["web"]
    for _ in range(2):
        producer.produce(topic.of(prefix), f"not avro: {ADDRESS}".encode(), b"default/email:nora.night@shop.example")
    assert producer.flush(30) == 0


def _check_access(made: Deployment, out: Path) -> None:
    """Checks that everything of the person is written out, by one of the devices."""
    made.run("privacy", "access", "device_id:phone-nn", "--out", out)
    with zipfile.ZipFile(out) as archive:
        person = msgspec.json.decode(archive.read("person.json"))
        dlq = msgspec.json.decode(archive.read("cdp.events.dlq.v1.json"))
        actions = msgspec.json.decode(archive.read("cdp.crm.actions.v1.json"))
        held = sum(len(msgspec.json.decode(archive.read(name))) for name in archive.namelist() if ".events." in name)
    assert {ident.partition(":")[2] for ident in person["identifiers"]} == set(SECRETS)
    assert person["profile"]["identifiers"]
    assert len(dlq) == 2
    assert actions[0]["value"]["kind"] == "lead"
    assert held >= len(LIFE) + 2


def test_a_person_is_written_out_erased_everywhere_and_starts_clean(deployment, tmp_path):
    made, crm = deployment, deployment.home / "crm.jsonl"
    worker = made.start_worker()
    made.ingest([*LIFE, *OTHERS])
    _quarantine(made, made.settings.topic_prefix)
    made.until(lambda: _leads(made) >= {"nora-4711", "bert"} or None, "two leads")
    made.until(lambda: made.json("dlq", "ls")["total"] == 2 or None, "two quarantined events")
    made.run("sink", "jsonl", crm, "--drain")
    assert b"nora.night@shop.example" in crm.read_bytes().lower()

    _check_access(made, tmp_path / "access.zip")

    # erase, by one of the devices
    receipt = made.json("privacy", "erase", "device_id:phone-nn", "--why", "ticket 902", "--yes")
    assert receipt["complete"], receipt
    assert {stage["stage"]: stage["done"] for stage in receipt["state"]} == {
        "stitch": 1, "intake": PARTITIONS, "profile": PARTITIONS, "route": 1,
    }  # fmt: skip
    assert made.json("privacy", "status", receipt["request"])["complete"]
    made.run("sink", "jsonl", crm, "--drain")
    secrets = [secret for secret in SECRETS if secret.encode() in str(receipt).encode()]
    assert not secrets, "the receipt names the person"

    # what is left, by a search of bytes
    made.end_worker(worker)
    traces = _traces(made)
    traces.wait_for_compaction()
    assert traces.in_files(made.home, lambda path: not path.name.startswith(("events-", "access"))) == []
    left = traces.in_topics("delete")
    stated = {topic["topic"]: topic["identified"] for topic in receipt["topics"] if not topic["is_compacted"]}
    assert left == {name: count for name, count in stated.items() if count}
    assert all(topic["cleared_by"] for topic in receipt["topics"])
    assert receipt["cleared_by"] >= max(topic["cleared_by"] for topic in receipt["topics"])

    # others are untouched, and the person comes back as somebody new
    made.start_worker()
    bert = made.json("profile", "show", "user_id:bert")
    assert bert["aggregates"]
    now_ms = time.time_ns() // 1_000_000
    made.ingest([{**event(60, userId="nora-4711"), "timestamp": now_ms}, event(41, userId="nora-4711")])

    def shown_again():
        done = CliRunner().invoke(app, ["profile", "show", "user_id:nora-4711", "--json"], env=made.environment)
        return msgspec.json.decode(done.stdout) if done.exit_code == 0 else None

    shown = made.until(shown_again, "the person is back")
    assert list(shown["identifiers"]) == ["user_id:nora-4711"]
    assert len(shown["timeline"]) == 1


def _leads(made: Deployment) -> set[str]:
    decode = Decoder(ACTIONS.value)
    actions = [decode(message.value()) for message in _traces(made).records(ACTIONS.of(made.settings.topic_prefix))]
    idents = [ident for action in actions for ident in action["identifiers"]]
    return {ident.removeprefix("user_id:") for ident in idents if ident.startswith("user_id:")}
