"""The erasure of a planted person whose lead a real BottleCRM holds: nothing of it is left in any byte.

The person has three devices, two merges of profiles, quarantined events, and a lead that a representative edits and the
way back reads. After the erasure a search of bytes looks through every topic (after compaction), every file of the
workers, and a dump of BottleCRM's database.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka
import msgspec
import pytest

from pipeline.local.kafka import LocalKafka
from pipeline.testing.build import event_json
from pipeline.topics import EVENTS, READERS
from tests.crm.bottlecrm.server import BottleCrm
from tests.integration.small_deployment import PARTITIONS, Deployment
from tests.support import children
from tests.support.traces import BROKER, Traces
from tests.support.waiting import deadline_seconds

pytestmark = pytest.mark.kafka

EXAMPLE = Path("deploy/examples/crm")
START_MS = time.time_ns() // 1_000_000 - 3_600_000
ADDRESS, PHONE = "Nora.Night@shop.example", "+493090182099"
SECRETS = (ADDRESS, "nora-4711", "phone-nn", "watch-nn", "desktop-nn", "cookie-nn-1", "cookie-nn-2", PHONE)
"""The values of the person's identifiers: three devices, two cookies, an account, an address and a phone number."""


def event(number, **fields):
    return event_json(number, fields.pop("name", "product_viewed"), start_ms=START_MS, **fields)


def life(account: str, address: str, phone: str, mark: str, first: int) -> list[dict[str, object]]:
    """Two merges of profiles that existed before the log-in, three devices, then a lead."""
    names = {"email": address, "phone": phone, "firstName": "Kim", "lastName": f"Surname-{mark}"}
    devices = [{"identifiers": {"device_id": f"{kind}-{mark}"}, "channel": "app"} for kind in ("phone", "watch")]
    happened = [
        {"anonymousId": f"cookie-{mark}-1"},
        {"anonymousId": f"cookie-{mark}-2"},
        devices[0],
        {"type": "identify", "userId": account, "anonymousId": f"cookie-{mark}-1", "traits": names},
        {"userId": account, "anonymousId": f"cookie-{mark}-2"},
        {"userId": account, **devices[0]},
        {"userId": account, **devices[1]},
        {"userId": account, "identifiers": {"device_id": f"desktop-{mark}"}, "channel": "app"},
        {"userId": account, "type": "page", "properties": {"title": "Pricing"}},
        {"userId": account, "name": "Quote Requested"},
    ]
    return [event(number, **fields) for number, fields in enumerate(happened, first)]


@pytest.fixture(scope="module")
def deployment(bottlecrm: BottleCrm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("erased")
    broker = LocalKafka(folder / "kafka", settings=BROKER).start()
    try:
        with Deployment(broker.bootstrap_servers, "cdp", folder / "home") as made:
            made.home.mkdir()
            made.environment["STITCHLINE_RULES_DIR"] = str(_rules(bottlecrm, folder))
            made.run("topics", "create")
            _traces(made).compact_at_once()
            made.run("crm", "setup", "shop-crm")
            yield made
    finally:
        broker.stop()


def _rules(crm: BottleCrm, folder: Path) -> Path:
    """Returns a copy of the example rules whose connection leads to the test's server."""
    rules = folder / "rules"
    rules.mkdir()
    (folder / "token").write_text(crm.tokens["admin"], encoding="utf-8")
    for file in EXAMPLE.glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        for old, new in {
            "env:BOTTLECRM_TOKEN": f"file:{folder / 'token'}",
            "https://crm.example.com": f"{crm.url}\n    timeout_seconds: 20\n    requests: 100000",
            "7f9c24e8-3b1d-4c51-9e0a-52b7f4d1c001": crm.profiles["ann"],
            "7f9c24e8-3b1d-4c51-9e0a-52b7f4d1c002": crm.profiles["bob"],
            "    back:\n": "    back:\n      delay_seconds: 0\n      every_seconds: 1\n",
        }.items():
            text = text.replace(old, new)
        (rules / file.name).write_text(text, encoding="utf-8")
    return rules


def _traces(made: Deployment, *more: str) -> Traces:
    secrets = [*SECRETS, "surname-nn", *more]
    return Traces(made.settings.bootstrap_servers, made.settings.topic_prefix, PARTITIONS, secrets)


def _start(made: Deployment, *command: str) -> "subprocess.Popen[bytes]":
    return children.start([sys.executable, "-m", "pipeline.cli", "crm", *command, "shop-crm"], env=made.environment)


def _quarantine(made: Deployment) -> None:
    """Sends two events of the person that are not Avro."""
    producer = confluent_kafka.Producer({"bootstrap.servers": made.settings.bootstrap_servers})
    for _ in range(2):
        topic = EVENTS["web"].of(made.settings.topic_prefix)
        producer.produce(topic, f"not avro: {ADDRESS}".encode(), b"default/email:" + ADDRESS.lower().encode())
    assert producer.flush(30) == 0


def _plant(made: Deployment, crm: BottleCrm) -> str:
    """Lives the person's life up to a lead that a representative has edited. Returns the lead's id."""
    made.ingest([
        *life("nora-4711", ADDRESS, PHONE, "nn", 1), *life("bert", "bert@shop.example", "+493090182098", "bb", 21)
    ])  # fmt: skip
    _quarantine(made)
    made.until(lambda: made.json("dlq", "ls")["total"] == 2 or None, "two quarantined events")
    made.until(lambda: len(crm.leads()) == 2 or None, "two leads")
    (lead,) = [one["id"] for one in crm.leads() if one["email"].lower() == ADDRESS.lower()]
    crm.patch(f"/api/leads/{lead}/", {"status": "in process"})

    def is_known() -> bool:
        return f"crm_contact_id:{lead}" in made.json("profile", "show", "user_id:nora-4711")["identifiers"]

    made.until(lambda: is_known() or None, "the id of the lead")
    return str(lead)


def test_a_person_with_a_lead_in_bottlecrm_leaves_nothing(deployment, bottlecrm):
    made, worker = deployment, deployment.start_worker()
    running = [_start(made, "sink"), _start(made, "pull")]
    lead = _plant(made, bottlecrm)
    traces = _traces(made, lead)
    assert set(traces.in_bytes(bottlecrm.dump())) >= {ADDRESS.lower(), PHONE, lead}
    readers = READERS.of(made.settings.topic_prefix)
    assert any(lead in (record.key() or b"").decode() for record in traces.records(readers))

    receipt = made.json("privacy", "erase", "device_id:phone-nn", "--why", "ticket 902", "--yes")
    assert receipt["complete"], receipt
    assert sum(receipt["identifiers"].values()) == len(SECRETS) + 1
    made.until(lambda: len(bottlecrm.leads()) == 1 or None, "the deletion of the lead")
    for process in running:
        process.send_signal(signal.SIGTERM)
        assert process.wait(deadline_seconds()) == 0
    made.end_worker(worker)

    assert traces.in_bytes(bottlecrm.dump("--exclude-table-data=activity")) == []
    assert traces.in_bytes(bottlecrm.dump()) == ["surname-nn", lead]  # its log of activities cannot be written to
    assert [one["email"] for one in bottlecrm.leads()] == ["bert@shop.example"]
    traces.wait_for_compaction()
    assert traces.in_files(made.home, lambda path: not path.name.startswith("events-")) == []
    assert traces.in_bytes(msgspec.json.encode(receipt)) == []
    stated = {topic["topic"]: topic["identified"] for topic in receipt["topics"] if not topic["is_compacted"]}
    assert traces.in_topics("delete") == {name: count for name, count in stated.items() if count}
    assert all(topic["cleared_by"] for topic in receipt["topics"])
