"""Small replays that depend on the order of decisions: a mark that is reached in passing, a customer gone silent."""

import json
import signal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipeline.avro.wire import Decoder
from pipeline.event.duration import DAY_MS
from pipeline.event.identifier import key_of
from pipeline.identity.profile_id import profile_id
from pipeline.kafka.admin import ensure_topics
from pipeline.kafka.partitioner import partition_of
from pipeline.settings import Settings
from pipeline.testing.build import event_json
from pipeline.topics import ACTIONS, EVENTS, UPDATES
from tests.acceptance.command import run
from tests.support.events import as_sent, web_event
from tests.support.fleet import Fleet
from tests.support.records import committed, send

JANUARY = 20_089 * DAY_MS
PASSING = [
    event_json(1, "checkout_started", channel="web", userId="ann", start_ms=JANUARY),
    event_json(2, "product_added", channel="app", userId="ann", start_ms=JANUARY),
    event_json(3, "product_added", channel="app", userId="ann", start_ms=JANUARY),
    event_json(4, "product_viewed", channel="web", userId="ann", start_ms=JANUARY + 50 * DAY_MS),
]
"""36 points by the shipped scores; 50 days later they have faded."""
HOT = {"triggers.yaml": "triggers: [{name: hot, high: 30, low: 10}]"}
REACHED_AT_MS = PASSING[2]["timestamp"]
COOLED = {
    "scores.yaml": "scores: [{name: visit, points: 50, half_life: 14 d}]",
    "segments.yaml": "segments: []",
    "triggers.yaml": "triggers: [{name: cooled, high: 40, low: 12, falling: true}]",
}
PARTITIONS = 2


def file_of(path: Path, events: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return path


def rules_in(folder: Path, files: dict[str, str]) -> Path:
    """Writes rules files; those that are missing stand in with the shipped ones."""
    rules = folder / "rules"
    rules.mkdir()
    for name, text in files.items():
        (rules / name).write_text(text, encoding="utf-8")
    return rules


def actions_of(settings: Settings) -> list[dict[str, Any]]:
    decode = Decoder(ACTIONS.value)
    return [decode(record.value()) for record in committed(settings, ACTIONS)]


def deployment(kafka, topic_prefix, tmp_path, **more: Any) -> Settings:
    made = Settings(
        bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix, application_id=topic_prefix,
        partitions=PARTITIONS, home=tmp_path, clock="stream", stream_idle_ms=1000, timer_interval_ms=100,
        session_timeout_ms=2000, **more,
    )  # fmt: skip
    ensure_topics(made)
    return made


@pytest.mark.parametrize("parts", [[PASSING], [PASSING[3:], PASSING[1:3], PASSING[:1]]], ids=["one file", "shuffled"])
def test_a_mark_that_is_reached_in_passing_is_one_lead_in_simulate(tmp_path, parts):
    files = [file_of(tmp_path / f"{number}.ndjson", part) for number, part in enumerate(parts)]
    run(Settings(), "simulate", *files, "--rules", rules_in(tmp_path, HOT), "--out", tmp_path / "out")
    (line,) = (tmp_path / "out" / "crm-actions.ndjson").read_text().splitlines()
    action = json.loads(line)
    assert (action["kind"], action["timestamp_ms"]) == ("lead", REACHED_AT_MS)


@pytest.mark.kafka
def test_a_mark_that_is_reached_in_passing_is_one_lead_on_kafka(kafka, topic_prefix, tmp_path):
    settings = deployment(kafka, topic_prefix, tmp_path, rules_dir=rules_in(tmp_path, HOT))
    run(settings, "ingest", file_of(tmp_path / "events.ndjson", PASSING))
    with Fleet(settings) as fleet:
        fleet.start("0")
        fleet.until("there is a lead", lambda: actions_of(settings))
        assert fleet.end("0") == 0
    assert [(action["kind"], action["timestamp_ms"]) for action in actions_of(settings)] == [("lead", REACHED_AT_MS)]


def one_user_a_partition() -> list[str]:
    """Returns a user id for each partition."""
    users: dict[int, str] = {}
    for number in count():
        users.setdefault(partition_of(key_of("default", f"user_id:u{number}"), PARTITIONS), f"user_id:u{number}")
        if len(users) == PARTITIONS:
            return [users[partition] for partition in range(PARTITIONS)]
    raise AssertionError


@pytest.mark.kafka
@pytest.mark.parametrize("is_killed", [False, True], ids=["one life", "a restart"])
def test_time_passes_also_for_the_customer_of_a_silent_partition(kafka, topic_prefix, tmp_path, is_killed):
    settings = deployment(kafka, topic_prefix, tmp_path, rules_dir=rules_in(tmp_path, COOLED))
    silent, active = one_user_a_partition()
    first = [as_sent(web_event(f"m{user}", [user], JANUARY)) for user in (silent, active)]
    december = as_sent(web_event("m3", [active], JANUARY + 330 * DAY_MS))
    with Fleet(settings) as fleet:
        send(settings, EVENTS["web"], first)
        fleet.start("0")
        fleet.until("both are known", lambda: len(committed(settings, UPDATES)) >= PARTITIONS)
        if is_killed:
            fleet.end("0", signal.SIGKILL)
            fleet.start("0")
        send(settings, EVENTS["web"], [december])
        fleet.until("both have cooled", lambda: len(actions_of(settings)) >= PARTITIONS)
        assert fleet.end("0") == 0
    fired = [(action["profile_id"], action["trigger"]) for action in actions_of(settings)]
    assert sorted(fired) == sorted((profile_id("default", user), "cooled") for user in (silent, active))
    assert len({action["timestamp_ms"] for action in actions_of(settings)}) == 1
