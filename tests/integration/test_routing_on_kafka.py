"""Leads through PROFILE and ROUTE on a real broker; of two workers one is killed: each once, with an owner."""

import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.avro.wire import Decoder
from pipeline.settings import Settings
from pipeline.topics import ACTIONS, EVENTS, LEADS
from tests.support.events import as_sent, web_event
from tests.support.fleet import Fleet
from tests.support.records import committed, send

pytestmark = pytest.mark.kafka

PARTITIONS, CUSTOMERS = 4, 300
WEIGHTS = {"ann": 3, "bob": 2, "cyn": 1}
FILES = {
    "scores.yaml": """
scores:
  - {name: asked, points: 100, filter: {events: [asked]}, score: first}
  - {name: asked_again, points: 100, filter: {events: [asked_again]}, score: second}
""",
    "triggers.yaml": """
triggers:
  - {name: first, score: first, high: 70, low: 5}
  - {name: second, score: second, high: 70, low: 5}
""",
    "routing.yaml": """
reps: [{name: ann, weight: 3}, {name: bob, weight: 2}, {name: cyn}, {name: dan}, {name: eve}]
teams:
  - {name: north, reps: [ann, bob, cyn]}
  - {name: inside, reps: [dan]}
routes: [{name: dach, when: 'traits.country = "DE"', team: north}]
catch_all: inside
""",
}


@pytest.fixture
def settings(kafka: Any, topic_prefix: str, tmp_path: Path) -> Settings:
    rules = tmp_path / "rules"
    rules.mkdir()
    for name, text in FILES.items():
        (rules / name).write_text(text, encoding="utf-8")
    return Settings(
        bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=topic_prefix,
        application_id=topic_prefix,
        partitions=PARTITIONS,
        home=tmp_path,
        rules_dir=rules,
        session_timeout_ms=3000,
    )


def give(settings: Settings, event: str, traits: dict[int, str]) -> None:
    """One event of every customer; by number, what they say of themselves if not that they are from DE."""
    now_ms = time.time_ns() // 1_000_000
    send(
        settings,
        EVENTS["web"],
        [
            as_sent(
                web_event(
                    f"{event}-{n}", [f"user_id:c{n}"], now_ms, type="track", event=event,
                    traits=traits.get(n, '{"country": "DE"}'),
                )
            )
            for n in range(CUSTOMERS)
        ],
    )  # fmt: skip


def actions(settings: Settings) -> list[dict[str, Any]]:
    decode = Decoder(ACTIONS.value)
    return [decode(record.value()) for record in committed(settings, ACTIONS)]


def owners(result: list[dict[str, Any]], trigger: str) -> dict[str, str]:
    """Customer to owner; no customer has two leads of a trigger."""
    pairs = [(action["identifiers"][0], action["owner"]) for action in result if action["trigger"] == trigger]
    assert len(dict(pairs)) == len(pairs), "a lead is there twice"
    return dict(pairs)


def test_every_lead_is_routed_once_fairly_and_stays_with_its_owner_although_a_worker_is_killed(
    settings: Settings,
) -> None:
    others = {0: '{"country": "FR"}', 1: '{"country": "DE", "owner": "eve"}'}
    with Fleet(settings) as fleet:
        for worker in "ab":
            fleet.start(worker)
        fleet.until_ready("a", "b")
        give(settings, "asked", others)
        fleet.until("the first leads are there", lambda: actions(settings))
        fleet.end("b", signal.SIGKILL)
        fleet.start("b")
        fleet.until("everybody is a lead", lambda: len(actions(settings)) >= CUSTOMERS)
        give(settings, "asked_again", others)
        fleet.until("everybody is a lead again", lambda: len(actions(settings)) >= 2 * CUSTOMERS)
        fleet.until("nothing is left to do", lambda: fleet.metric("a", "stitchline_lag_records") == 0)
        assert [fleet.end(worker) for worker in "ab"] == [0, 0]

    result = actions(settings)
    assert len(result) == 2 * CUSTOMERS
    first = owners(result, "first")
    assert first.pop("user_id:c0") == "dan"
    assert first.pop("user_id:c1") == "eve"
    assert set(first) == {f"user_id:c{n}" for n in range(2, CUSTOMERS)}
    shares = Counter(first.values())
    assert all(abs(shares[name] * 6 - weight * shares.total()) < 6 for name, weight in WEIGHTS.items()), shares
    assert owners(result, "second") == {**first, "user_id:c0": "dan", "user_id:c1": "eve"}
    assert all(action["owner_reason"] for action in result)
    leads = committed(settings, LEADS)
    assert len(leads) == 2 * CUSTOMERS
    assert len({record.partition() for record in leads}) == 1, "one tenant, one writer"
