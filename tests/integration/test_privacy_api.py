"""A person's rights over the HTTP API, on a real broker with a worker: written out, erased through a merge, refused.

Longer than 20 s on a busy machine: five reports read every topic, and each request waits for all partitions.
"""

import time
from collections.abc import Iterator
from functools import partial

import msgspec
import pytest
from starlette.testclient import TestClient

from pipeline.local.broker import Broker
from pipeline.serve.api.app import api_app
from pipeline.serve.model.store import store_of
from pipeline.serve.service import services_of
from pipeline.testing.build import event_json
from tests.integration.small_deployment import PARTITIONS, Deployment

pytestmark = pytest.mark.kafka

event = partial(event_json, start_ms=time.time_ns() // 1_000_000 - 3_600_000, name="product_viewed")
EVENTS = [
    event(1, anonymousId="ada-cookie"),
    event(2, type="identify", userId="ada", anonymousId="ada-cookie", traits={"email": "ada@shop.example"}),
    event(3, userId="ben"),
    event(4, tenant="other", type="identify", userId="o-77", traits={"email": "ada@shop.example"}),
]
"""Two tenants know the same e-mail address."""
ADA = {"user_id:ada", "email:ada@shop.example", "anonymous_id:ada-cookie"}


@pytest.fixture
def deployment(kafka: Broker, topic_prefix: str, tmp_path) -> Iterator[Deployment]:
    with Deployment(kafka.bootstrap_servers, topic_prefix, tmp_path) as made:
        made.start_worker()
        made.run("topics", "create")
        made.ingest(EVENTS)
        made.until(
            lambda: (made.has_profile("email:ada@shop.example") and made.has_profile("user_id:ben")) or None, "profiles"
        )
        made.until(lambda: made.has_profile("user_id:o-77", "--tenant", "other") or None, "the other tenant's profile")
        yield made


@pytest.fixture
def clients(deployment: Deployment) -> Iterator[dict[str, TestClient]]:
    """By tenant, a client with every scope."""
    store = store_of(deployment.settings)
    store.prepare(deployment.settings.topic_prefix)
    services = services_of(deployment.settings, store)
    api, made = api_app(services), {}
    for tenant in ("default", "other"):
        _, secret = services.keys.add(tenant, tenant=tenant, scopes=("read", "read:pii", "write"))
        made[tenant] = TestClient(api, headers={"authorization": f"Bearer {secret}"})
    yield made
    services.audit.close()
    store.close()


def _keys(report: dict) -> set[tuple[str, str]]:
    """Topic and key of each record, without timers: they move on between two reports."""
    records = [(topic, record["key"]) for topic, some in report["records"].items() for record in some]
    return {(topic, key) for topic, key in records if not key.startswith("timers/")}


def _completed(made: Deployment, client: TestClient, answer) -> dict:
    """The status of an accepted request, once every partition has carried it out."""
    assert answer.status_code == 202, answer.text
    place = answer.json()["status"]
    assert answer.headers["location"] == place

    def complete():
        status = client.get(place)
        assert status.status_code in {200, 404}, status.text
        return status.json() if status.status_code == 200 and status.json()["complete"] else None

    status = made.until(complete, "every partition has carried it out")
    assert status["request"] == answer.json()["request"]
    return status


def test_a_person_is_written_out_refused_and_erased_over_http(deployment: Deployment, clients):
    client, other = clients["default"], clients["other"]

    report = client.post("/v1/privacy/access", json={"identifier": "anonymous_id:ada-cookie"})
    assert report.status_code == 200, report.text
    assert set(report.json()["identifiers"]) == ADA
    events = report.json()["records"][f"{deployment.settings.topic_prefix}.events.web.v1"]
    assert len(events) == 2
    assert report.json()["profile"]
    assert "o-77" not in report.text

    # The operator's report names both tenants' records. Each tenant gets its own, and together they are all of them.
    foreign = other.post("/v1/privacy/access", json={"identifier": "email:ada@shop.example"})
    assert foreign.status_code == 200, foreign.text
    assert set(foreign.json()["identifiers"]) == {"email:ada@shop.example", "user_id:o-77"}
    assert "ada-cookie" not in foreign.text
    assert "user_id:ada" not in foreign.text
    whole = msgspec.json.decode(deployment.run("privacy", "access", "email:ada@shop.example").stdout)
    assert _keys(whole) <= _keys(report.json()) | _keys(foreign.json())
    assert not _keys(report.json()) & _keys(foreign.json())
    unknown = other.post("/v1/privacy/access", json={"identifier": "anonymous_id:ada-cookie"}).json()
    assert (unknown["profile"], unknown["records"]) == (None, {})

    refusal = client.post("/v1/privacy/suppress", json={"identifier": "user_id:ben", "why": "ticket 903"})
    refused = _completed(deployment, client, refusal)
    assert {stage["stage"]: stage["done"] for stage in refused["stages"]} == {"stitch": 1, "intake": PARTITIONS}
    assert deployment.has_profile("user_id:ben")

    # Another tenant can neither erase this person nor see the request.
    _completed(
        deployment, other, other.post("/v1/privacy/erase", json={"identifier": "user_id:ada", "why": "ticket 904"})
    )
    assert deployment.has_profile("user_id:ada")
    accepted = client.post("/v1/privacy/erase", json={"identifier": "anonymous_id:ada-cookie", "why": "ticket 902"})
    erased = _completed(deployment, client, accepted)
    assert other.get(accepted.json()["status"]).status_code == 404
    assert {stage["stage"]: stage["done"] for stage in erased["stages"]} == {
        "stitch": 1, "intake": PARTITIONS, "profile": PARTITIONS, "route": 1,
    }  # fmt: skip
    assert not any(deployment.has_profile(ident) for ident in ADA)
    assert deployment.has_profile("user_id:ben")

    first = client.get("/v1/privacy/requests", params={"limit": 1}).json()
    second = client.get("/v1/privacy/requests", params={"limit": 1, "cursor": first["next"]}).json()
    assert (first["items"], second) == ([erased], {"items": [refused], "next": ""})
    assert len(other.get("/v1/privacy/requests").json()["items"]) == 1

    # The other tenant still knows the address, and the operator's receipt of this tenant is complete without it.
    receipt = deployment.json("privacy", "erase", "email:ada@shop.example", "--why", "ticket 905", "--yes")
    assert receipt["complete"], receipt
    assert all(topic["current"] == 0 for topic in receipt["topics"])
    foreign = {topic["topic"]: topic["foreign"] for topic in receipt["topics"]}
    assert foreign[f"{deployment.settings.topic_prefix}.profile.updates.v1"] >= 1
    assert foreign[f"{deployment.settings.topic_prefix}.state.profile.v1"] >= 1
    assert deployment.has_profile("user_id:o-77", "--tenant", "other")
