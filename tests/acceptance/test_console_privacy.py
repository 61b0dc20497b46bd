"""A person's rights in the console, on a real broker with a worker, by forms without scripts and in a real Chromium.

Longer than 20 s on a busy machine: an erasure waits for all partitions, and its receipt reads every topic.
"""

import asyncio
import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from functools import partial

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from starlette.testclient import TestClient

from pipeline.clock import wall_clock_ms
from pipeline.event.erasure import digest_of
from pipeline.local.broker import Broker
from pipeline.local.ports import free_ports
from pipeline.rules.crm import CrmConnection, CrmRules
from pipeline.rules.crm_back import CrmBack
from pipeline.rules.load import load_rules
from pipeline.serve import receipts
from pipeline.serve.console.build import console_of
from pipeline.serve.model.store import store_of
from pipeline.serve.receipts import Receipts
from pipeline.serve.service import services_of
from pipeline.serve.signin.roles import Role
from pipeline.serve.signin.users import Users
from pipeline.testing.build import event_json
from pipeline.topics import LEDGER, READERS
from tests.integration.small_deployment import PARTITIONS, Deployment
from tests.support.axe import axe_source, looked_at
from tests.support.browser import DESKTOP, Page, browser, chromium
from tests.support.console import PASSWORD, csrf_of, serving, sign_in
from tests.support.waiting import deadline_seconds, eventually

pytestmark = pytest.mark.kafka

event = partial(event_json, start_ms=time.time_ns() // 1_000_000 - 3_600_000, name="product_viewed")
EVENTS = [
    event(1, anonymousId="ada-cookie"),
    event(2, type="identify", userId="ada-lovelace", anonymousId="ada-cookie", traits={"email": "ada@shop.example"}),
    event(3, userId="ben-button"),
    event(4, tenant="other", type="identify", userId="o-77", traits={"email": "ada@shop.example"}),
    event(5, type="identify", userId="eve-adams", traits={"email": "eve@shop.example"}),
    event(6, userId="gus-gray"),
]
ADA = {"user_id:ada-lovelace", "email:ada@shop.example", "anonymous_id:ada-cookie"}
CLEAR = ("ada-lovelace", "ada@shop.example", "ada-cookie")


class Console:
    """A console on a free port over the topics of a deployment, with a user of each role."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment, settings = deployment, deployment.settings
        self.store = store_of(settings)
        self.store.prepare(settings.topic_prefix)
        self.services = services_of(settings, self.store)
        self.receipts = Receipts(self.store, self.services.persons)
        self.audit = settings.home / "audit"
        self.console = console_of(self.services.reads, self.services.persons, self.receipts, settings, self.audit)
        self.app = self.console.app
        users = Users(self.store.engine, wall_clock_ms)
        for role in Role:
            users.add(f"{role.value}@shop.example", PASSWORD, role)
        users.add("admin@other.example", PASSWORD, Role.ADMIN, "other")
        (self.port,) = free_ports(1)

    def client(self, user: str) -> TestClient:
        client = TestClient(self.app, follow_redirects=False)
        assert sign_in(client, user, PASSWORD).status_code == 303
        return client

    def audited(self) -> list[dict]:
        return [json.loads(line) for file in self.audit.glob("*.jsonl") for line in file.read_text().splitlines()]

    def close(self) -> None:
        self.receipts.close()
        self.console.close()
        self.services.audit.close()
        self.store.close()


@pytest.fixture(scope="module")
def console(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    prefix = f"privacy{time.time_ns()}"
    with Deployment(kafka.bootstrap_servers, prefix, tmp_path_factory.mktemp("home")) as made:
        made.start_worker()
        made.run("topics", "create")
        made.ingest(EVENTS)
        _keep(made, "events.web.v1", days=3)
        for ident in (*ADA, "user_id:ben-button", "email:eve@shop.example", "user_id:gus-gray"):
            made.until(lambda ident=ident: made.has_profile(ident) or None, f"the profile of {ident}")
        made.until(lambda: made.has_profile("user_id:o-77", "--tenant", "other") or None, "the other tenant's profile")
        opened = Console(made)
        with serving(opened.app, opened.port):
            yield opened
        opened.close()


def _keep(made: Deployment, topic: str, days: int) -> None:
    """Sets a topic's retention: the test broker keeps records for good."""
    client = AdminClient({"bootstrap.servers": made.settings.bootstrap_servers})
    milliseconds = str(days * 86_400_000)
    entries = [
        ConfigEntry(name, milliseconds, incremental_operation=AlterConfigOpType.SET)
        for name in ("retention.ms", "segment.ms")
    ]
    resource = ConfigResource(
        ConfigResource.Type.TOPIC, f"{made.settings.topic_prefix}.{topic}", incremental_configs=entries
    )
    for answer in client.incremental_alter_configs([resource]).values():
        answer.result(deadline_seconds())


def test_a_request_without_a_second_identifier_a_reason_or_a_right_sends_nothing(console: Console) -> None:
    operator = console.client("operator@shop.example")
    form = {"csrf": csrf_of(operator, "/privacy"), "kind": "erase", "identifier": "user_id:ben-button", "why": "t 1"}
    for change, says in (
        ({"again": "user_id:ada-lovelace"}, "The two identifiers differ"),
        ({"again": ""}, "is neither a profile id nor type:value"),
        ({"again": "user_id:ben-button", "why": " "}, "State the reason"),
        ({"again": "user_id:ben-button", "why": "w" * 501}, "State the reason"),
        ({"again": "user_id:ben-button", "kind": "forget"}, "There is no such request"),
        ({"again": "shoe_size:44", "identifier": "shoe_size:44"}, "is neither a profile id nor type:value"),
    ):
        answer = operator.post("/privacy/send", data={**form, **change})
        assert answer.status_code == 400, change
        assert says in answer.text, change
    assert operator.post("/privacy/access", data=form).status_code == 403
    for role in ("viewer", "marketer"):
        other = console.client(f"{role}@shop.example")
        token = csrf_of(other, "/")
        assert other.post("/privacy/send", data={**form, "csrf": token, "again": form["identifier"]}).status_code == 403
    assert "No request has been sent" in operator.get("/privacy").text
    assert [line for line in console.audited() if "privacy" in line["action"]] == []


def test_everything_held_is_downloaded_by_an_administrator_for_its_tenant_only(console: Console) -> None:
    admin = console.client("admin@shop.example")
    answer = admin.post(
        "/privacy/access", data={"csrf": csrf_of(admin, "/privacy"), "identifier": " email:Ada@Shop.example "}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == 'attachment; filename="person.zip"'
    assert answer.headers["cache-control"] == "no-store"
    held = zipfile.ZipFile(io.BytesIO(answer.content))
    person = json.loads(held.read("person.json"))
    assert set(person["identifiers"]) == ADA
    assert len(json.loads(held.read(f"{console.deployment.settings.topic_prefix}.events.web.v1.json"))) == 2
    assert b"o-77" not in b"".join(held.read(name) for name in held.namelist())
    (line,) = (line for line in console.audited() if line["action"] == "console privacy access")
    assert (line["actor"], line["profile_ids"]) == ("user admin@shop.example", person["profile_ids"])


def test_an_operator_erases_without_scripts_and_gets_the_receipt_of_every_place(console: Console) -> None:
    operator = console.client("operator@shop.example")
    token = csrf_of(operator, "/privacy")
    filled = {"csrf": token, "kind": "erase", "identifier": "anonymous_id:ada-cookie", "why": "ticket 902"}
    page = operator.post("/privacy/confirm", data=filled)
    assert page.status_code == 200
    assert re.sub(r"\s+", " ", page.text).count("1 anonymous id, 1 email, 1 user id") == 1
    assert not any(text in page.text for text in ("ada-lovelace", "ada@shop.example"))

    answer = operator.post("/privacy/send", data={**filled, "again": "anonymous_id:ada-cookie"})
    assert answer.status_code == 303
    place = answer.headers["location"]
    assert re.fullmatch(r"/privacy/requests/[0-9a-f-]{36}", place)
    page = console.deployment.until(
        lambda: (text := operator.get(place).text) and ("Left in the logs" in text or None) and text, "the receipt"
    )
    assert "<strong>Complete.</strong>" in page
    for stage, partitions in {"STITCH": 1, "INTAKE": PARTITIONS, "PROFILE": PARTITIONS, "ROUTE": 1}.items():
        assert f'{stage}</th><td class="number">{partitions} of {partitions}<' in page
    prefix = console.deployment.settings.topic_prefix
    assert f"{prefix}.events.web.v1" in page
    assert not any(text in page for text in CLEAR)
    assert not any(console.deployment.has_profile(ident) for ident in ADA)
    assert console.deployment.has_profile("user_id:ben-button")

    # What is stored names types, counts and digests. The other tenant's records of the same address are not counted.
    (receipt,) = (row.receipt for row in console.receipts.all("default").values())
    assert receipt is not None
    assert receipt["identifiers"] == {"anonymous_id": 1, "email": 1, "user_id": 1}
    assert {digest_of("default", ident).hex() for ident in ADA} <= set(receipt["digests"])
    events = next(topic for topic in receipt["topics"] if topic["topic"] == f"{prefix}.events.web.v1")
    assert (events["records"], events["identified"]) == (2, 2)
    gone_by_ms = events["newest_ms"] + 2 * 3 * 86_400_000 + 600_000
    assert time.strftime("%Y-%m-%d %H:%M", time.gmtime(gone_by_ms / 1000)) in page
    assert not any(text in json.dumps(receipt) for text in CLEAR)

    lines = [line for line in console.audited() if line["action"] == "console privacy erase"]
    assert [(line["actor"], line["profiles"]) for line in lines] == [("user operator@shop.example", 3)]
    assert not any(text in json.dumps(console.audited()) for text in CLEAR)
    assert console.client("admin@other.example").get(place).status_code == 404
    assert place.rpartition("/")[2][:8] not in console.client("admin@other.example").get("/privacy").text


def test_a_request_of_the_command_is_listed_with_the_limits_of_the_logs(console: Console) -> None:
    done = console.deployment.json("privacy", "erase", "user_id:ben-button", "--why", "t 7", "--yes")
    request_id = done["request"].removeprefix("decision/")
    admin = console.client("admin@shop.example")
    assert f'/privacy/requests/{request_id}"' in admin.get("/privacy").text
    page = admin.get(f"/privacy/requests/{request_id}").text
    assert "The topics were not searched" in page
    assert f"{console.deployment.settings.topic_prefix}.events.web.v1" in page


def test_the_logs_are_searched_again_until_no_current_value_names_the_person(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of CRM sink and reader name the person until they have read the erasure; here, until a tombstone."""
    monkeypatch.setattr(receipts, "SEARCH_AGAIN_SECONDS", 0.5)
    rules = load_rules()
    connections = tuple(
        CrmConnection(name=name, kind="hubspot", secret="env:KEY", back=CrmBack(tenant=tenant))
        for name, tenant in (("hubspot", "default"), ("theirs", "other"))
    )
    known = msgspec.structs.replace(rules, crm=CrmRules(connections=connections))
    monkeypatch.setattr(console.services.persons, "_rules", known)
    prefix = console.deployment.settings.topic_prefix
    ledger, readers = LEDGER.of(prefix), READERS.of(prefix)
    producer = Producer({"bootstrap.servers": console.deployment.settings.bootstrap_servers})

    def written(topic: str, key: bytes, value: bytes | None) -> None:
        producer.produce(topic, value, key)
        assert producer.flush(deadline_seconds()) == 0

    written(ledger, b"hubspot/default/a-1", b"contact of gus-gray")
    written(readers, b"hubspot/contact/1", b"contact of gus-gray")
    written(readers, b"theirs/contact/1", b"contact of gus-gray")
    operator = console.client("operator@shop.example")
    form = {"csrf": csrf_of(operator, "/privacy"), "kind": "erase", "identifier": "user_id:gus-gray", "why": "t 8"}
    place = operator.post("/privacy/send", data={**form, "again": "user_id:gus-gray"}).headers["location"]
    page = console.deployment.until(
        lambda: (text := operator.get(place).text) and ("Not complete." in text or None) and text, "a first receipt"
    )
    assert "The topics are searched again" in page
    assert ledger in page
    assert readers in page
    written(ledger, b"hubspot/default/a-1", None)
    eventually(lambda: ledger not in current(console, place) or None, "a receipt without the row of the sink")
    assert readers in current(console, place)
    assert "Not complete." in operator.get(place).text
    written(readers, b"hubspot/contact/1", None)  # the other tenant's row stays, and is none of this erasure
    console.deployment.until(lambda: "<strong>Complete.</strong>" in operator.get(place).text or None, "the receipt")


def current(console: Console, place: str) -> list[str]:
    """The topics whose current values name the person, as the stored receipt of a request counts them."""
    sent = console.receipts.one("default", f"decision/{place.rpartition('/')[2]}")
    assert sent is not None
    assert sent.receipt is not None
    return [topic["topic"] for topic in sent.receipt["topics"] if topic["current"]]


def test_a_person_is_erased_in_a_browser(console: Console) -> None:
    path, axe = chromium(), axe_source()
    if path is None or axe is None:
        pytest.skip("there is no Chromium or no axe-core: the privacy pages in a browser are NOT TESTED")

    async def scenario() -> None:
        base = f"http://127.0.0.1:{console.port}"
        async with browser(path) as page:
            await page.size(*DESKTOP)
            await page.sign_in(base, "admin@shop.example", PASSWORD)
            await page.open(f"{base}/privacy")
            await _type(page, "identifier", "email:eve@shop.example")
            await _type(page, "why", "ticket 904")
            await looked_at(page, axe, "privacy")
            await page.run("document.querySelector('button[value=erase]').click()")
            await page.until("document.readyState === 'complete' && document.querySelector('#again')")
            await looked_at(page, axe, "confirm")
            await _type(page, "again", "email:eve@shop.example")
            await page.run("document.querySelector('.danger').click()")
            await page.until(
                "document.readyState === 'complete' && document.body.textContent.includes('Left in the logs')"
            )
            assert "eve" not in await page.run("location.href")
            await looked_at(page, axe, "receipt")
            assert page.complaints == []
            assert page.hosts == {f"127.0.0.1:{console.port}"}

    asyncio.run(scenario())
    assert not console.deployment.has_profile("email:eve@shop.example")


async def _type(page: Page, field: str, text: str) -> None:
    await page.run(f"document.querySelector('#{field}').focus()")
    await page.call("Input.insertText", text=text)
    await page.until(f"document.querySelector('#{field}').value === {json.dumps(text)}")
