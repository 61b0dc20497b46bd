"""Webhooks of a real BottleCRM at the real collector: signed requests over a socket become events."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.collect.connections import ConnectionLimits
from connectors.collect.server import CollectServer, Listening
from connectors.collect.sources import live_sources
from pipeline.clock import wall_clock_ms
from pipeline.obs.metrics import Metrics
from pipeline.rules.sources import SourceRules
from tests.crm.bottlecrm.server import BottleCrm
from tests.support.collecting import Door, shop
from tests.support.waiting import deadline_seconds, eventually

SUBSCRIBED = ["lead.created", "lead.updated", "interaction.created", "deal.won"]
SECRET = "bottlecrm-secret"


@contextmanager
def listening(door: Door) -> Iterator[int]:
    """Serves a collector on loopback. Yields its port."""
    listens = threading.Event()
    server = CollectServer(door.app, Listening(host="127.0.0.1", port=0), Metrics(), ConnectionLimits())
    thread = threading.Thread(target=lambda: asyncio.run(server.run(listens.set)))
    thread.start()
    try:
        assert listens.wait(deadline_seconds())
        yield server.port
    finally:
        server.stop()
        thread.join()


SOURCE = shop(webhooks=[{"vendor": "bottlecrm", "secret_files": [SECRET]}], channel="crm")


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """A collector whose source has another secret than the one that BottleCRM makes with the endpoint."""
    (tmp_path / SECRET).write_text("not known yet", encoding="utf-8")
    door = Door(SOURCE, folder=tmp_path)
    door.now_ms = wall_clock_ms()
    return door


def subscribe(crm: BottleCrm, port: int, events: list[str]) -> tuple[str, str]:
    """Creates an endpoint as an administrator that is signed in. Returns its id and its secret."""
    url = f"http://127.0.0.1:{port}/webhooks/bottlecrm/shop"
    body = {"url": url, "events": events, "format": "json", "is_active": True}
    answer = crm.hand.post("/api/webhooks/", json=body, headers=signed_in(crm))
    assert answer.is_success, answer.text[:500]
    return answer.json()["id"], answer.json()["secret"]


def signed_in(crm: BottleCrm) -> dict[str, str]:
    """The header of an administrator that is signed in."""
    return {"authorization": f"Bearer {crm.session}"}


def statuses(crm: BottleCrm, endpoint: str) -> list[tuple[str, int]]:
    """What the collector answered, by BottleCRM's own log."""
    answer = crm.hand.get(f"/api/webhooks/{endpoint}/deliveries/", headers=signed_in(crm))
    assert answer.is_success, answer.text[:500]
    body = answer.json()
    rows = body if isinstance(body, list) else body.get("results", body.get("deliveries"))
    return sorted((row["event"], row["response_status"]) for row in rows)


def test_webhooks_of_leads_calls_and_won_deals_become_events(bottlecrm, tmp_path, door):
    with listening(door) as port:
        endpoint, secret = subscribe(bottlecrm, port, SUBSCRIBED)
        refused = bottlecrm.post("/api/leads/", {"first_name": "Early", "email": "early@shop.example"})
        eventually(lambda: statuses(bottlecrm, endpoint) == [("lead.created", 401)], "the wrong secret is refused")
        assert door.kept.events == []

        (tmp_path / SECRET).write_text(secret, encoding="utf-8")
        door.sources = live_sources(SourceRules(sources=(SOURCE,)), tmp_path)  # as the collector's reload does
        lead = bottlecrm.post("/api/leads/", {"first_name": "Ann", "email": "ann@shop.example"})
        bottlecrm.patch(f"/api/leads/{lead['id']}/", {"phone": "+493090182001"})
        call = {"kind": "call", "direction": "outbound", "subject": "Price", "lead": lead["id"]}
        bottlecrm.post("/api/interactions/", call)
        eventually(lambda: len(door.kept.events) == 3, "three events")

    assert refused["id"] != lead["id"]
    assert door.kept.quarantined == []
    created, updated, logged = door.kept.events
    ours = f"crm_contact_id:{lead['id']}"
    assert {ours, "email:ann@shop.example"} <= set(created.identifiers)
    assert (created.type, created.traits["firstName"]) == ("identify", "Ann")
    assert {ours, "phone:+493090182001"} <= set(updated.identifiers)
    assert (logged.name, logged.properties["subject"], logged.identifiers) == ("Call Logged", "Price", [ours])
