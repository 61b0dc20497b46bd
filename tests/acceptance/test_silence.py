"""A silent customer: windows slide, scores fall and segments are left at their due times, without an event."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.avro.wire import Decoder
from pipeline.cli import app
from pipeline.cli.exit_codes import ExitCode
from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.identity.profile_id import profile_id
from pipeline.kafka.admin import ensure_topics
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.simulate.simulation import Simulation
from pipeline.testing.build import event_json
from pipeline.topics import ACTIONS, EVENTS, SEGMENTS, UPDATES, Topic
from tests.acceptance.command import run
from tests.support.events import as_sent, web_event
from tests.support.fleet import Fleet
from tests.support.records import committed, send
from tests.support.simulated import LATER_MS
from tests.support.waiting import slowness

SILENT = "user_id:silent"
SILENT_ID = profile_id("default", SILENT)
RULES = {
    "aggregates.yaml": "aggregates: [{name: visits, windows: [30 d, lifetime]}]",
    "scores.yaml": "scores: [{name: visit, points: 50, half_life: 14 d}]",
    "segments.yaml": """segments:
  - {name: visited_lately, when: visits over 30 d >= 1}
  - {name: seen_lately, when: last_touch <= 30 d}""",
    "triggers.yaml": "triggers: [{name: cooled, high: 40, low: 12, falling: true}]",
}
DAY_0 = 20_000 * DAY_MS + 9 * HOUR_MS


@pytest.fixture
def rules_dir(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    for name, text in RULES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def left_at() -> dict[str, int]:
    """When the silent customer leaves each segment, by the documented meaning of windows, to the millisecond."""
    return {"visited_lately": DAY_0 // DAY_MS * DAY_MS + 30 * DAY_MS, "seen_lately": DAY_0 + 30 * DAY_MS + 1}


def cooled_at() -> int:
    """The first full hour at which 50 points with a half-life of 14 days are below 12, in the documented steps."""
    hours = 0
    while 50 * 2 ** (-hours / (14 * 24)) >= 12:
        hours += 1
    return (DAY_0 // HOUR_MS + hours) * HOUR_MS


def told(changes: list[dict[str, Any]]) -> dict[str, int]:
    """The silent customer's exits, by segment; each once."""
    exits = [change for change in changes if change["profile_id"] == SILENT_ID and change["change"] == "exited"]
    assert len(exits) == len({item["segment"] for item in exits})
    return {item["segment"]: item["timestamp_ms"] for item in exits}


@pytest.mark.parametrize("clock", ["stream", "wall"])
def test_in_one_process_everything_happens_as_of_when_it_was_due_in_both_clocks(rules_dir, clock):
    now = [DAY_0]
    settings = Settings(clock=clock, topic_prefix="cdp")
    simulation = Simulation(settings, load_rules(rules_dir), lambda: LATER_MS if clock == "stream" else now[0])
    record = as_sent(web_event("m1", [SILENT], DAY_0))
    simulation.feed(EVENTS["web"].of("cdp"), record.key.decode(), record.value)
    simulation.settle()
    for _ in range(120):  # ticks come late and seldom: it makes no difference
        now[0] += 13 * HOUR_MS + 977
        simulation.advance(now[0])
    changes = [Decoder(SEGMENTS.value)(memory_record.value()) for memory_record in simulation.take(SEGMENTS)]
    (action,) = [Decoder(ACTIONS.value)(memory_record.value()) for memory_record in simulation.take(ACTIONS)]
    assert told(changes) == left_at()
    assert (action["trigger"], action["event"], action["timestamp_ms"]) == ("cooled", "fell_below", cooled_at())
    assert action["score"] < 12
    updates = [Decoder(UPDATES.value)(memory_record.value()) for memory_record in simulation.take(UPDATES)]
    assert updates[-1]["segments"] == []
    assert updates[-1]["aggregates"]["visits"]["last_30d"] == 0
    assert updates[-1]["scores"]["engagement"] < 12


WIN_BACK = """triggers: []
segment_triggers: [{name: win_back, segment: dormant}]
"""


def test_one_touch_and_two_months_of_silence_make_a_dormant_customer_and_a_win_back_lead(tmp_path: Path):
    rules = tmp_path / "rules"  # a file that is missing stands in with the shipped one
    rules.mkdir()
    (rules / "triggers.yaml").write_text(WIN_BACK, encoding="utf-8")
    log, out = tmp_path / "events.ndjson", tmp_path / "out"
    log.write_text(json.dumps(event_json(1, "product_viewed", timestamp=DAY_0, userId="silent")), encoding="utf-8")
    run(Settings(), "simulate", log, "--rules", rules, "--as-of", "2024-12-03T12:00:00Z", "--out", out)
    changes = [json.loads(line) for line in (out / "segment-changes.ndjson").read_text().splitlines()]
    actions = [json.loads(line) for line in (out / "crm-actions.ndjson").read_text().splitlines()]
    (profile,) = [json.loads(line) for line in (out / "profiles.ndjson").read_text().splitlines()]
    due_ms = DAY_0 + 31 * DAY_MS + 1
    assert "dormant" in profile["segments"]
    assert [(item["change"], item["timestamp_ms"]) for item in changes if item["segment"] == "dormant"] == [
        ("entered", due_ms)
    ]
    assert [(item["trigger"], item["event"], item["timestamp_ms"]) for item in actions] == [
        ("win_back", "entered", due_ms)
    ]


def test_simulate_refuses_to_read_profiles_before_the_newest_event(tmp_path: Path):
    log, out = tmp_path / "events.ndjson", tmp_path / "out"
    log.write_text(json.dumps(event_json(1, "product_viewed", timestamp=DAY_0, userId="silent")), encoding="utf-8")
    run(Settings(), "simulate", log, "--as-of", "latest", "--out", out)
    refused = CliRunner().invoke(app, ["simulate", str(log), "--as-of", "2024-10-03", "--out", str(out)])
    assert refused.exit_code == ExitCode.MISUSED
    assert "2024-10-03 is before the newest event, 2024-10-04T09:00:00.000Z" in refused.stderr
    assert "write latest" in refused.stderr
    assert not (out / "profiles.ndjson").exists()


def deployment(kafka, topic_prefix, tmp_path, rules_dir, **more: Any) -> Settings:
    made = Settings(
        bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix, application_id=topic_prefix,
        partitions=1, home=tmp_path, rules_dir=rules_dir, timer_interval_ms=200, **more,
    )  # fmt: skip
    ensure_topics(made)
    return made


def read(settings: Settings, topic: Topic) -> list[dict[str, Any]]:
    decode = Decoder(topic.value)
    return [decode(item.value()) for item in committed(settings, topic)]


@pytest.mark.kafka
def test_in_a_replay_on_kafka_the_time_of_others_passes_for_the_silent_customer(
    kafka, topic_prefix, tmp_path, rules_dir
):
    settings = deployment(kafka, topic_prefix, tmp_path, rules_dir, clock="stream", stream_lateness_ms=0)
    send(settings, EVENTS["web"], [as_sent(web_event("m1", [SILENT], DAY_0))])
    with Fleet(settings) as fleet:
        fleet.start("0")
        fleet.until("the first event is booked", lambda: read(settings, UPDATES))
        others = [as_sent(web_event(f"o{day}", [f"user_id:o{day}"], DAY_0 + day * DAY_MS)) for day in (31, 33, 45)]
        send(settings, EVENTS["web"], others)
        fleet.until("both segments are left", lambda: len(told(read(settings, SEGMENTS))) == len(left_at()))
        fleet.until("the score fell below", lambda: read(settings, ACTIONS))
        assert fleet.end("0") == 0
    assert told(read(settings, SEGMENTS)) == left_at()
    assert [(item["profile_id"], item["timestamp_ms"]) for item in read(settings, ACTIONS)] == [
        (SILENT_ID, cooled_at())
    ]


@pytest.mark.kafka
def test_on_kafka_by_the_wall_clock_a_segment_is_left_within_a_tick_of_its_time(
    kafka, topic_prefix, tmp_path, rules_dir
):
    settings = deployment(kafka, topic_prefix, tmp_path, rules_dir)
    with Fleet(settings) as fleet:
        fleet.start("0")
        fleet.until_ready("0")
        to_go_ms = int(4_000 * slowness())  # leaves the segment in four seconds, or what these are on a busy machine
        at_ms = time.time_ns() // 1_000_000 - 30 * DAY_MS + to_go_ms
        send(settings, EVENTS["web"], [as_sent(web_event("m1", [SILENT], at_ms))])
        fleet.until("the segment is left", lambda: "seen_lately" in told(read(settings, SEGMENTS)))
        assert fleet.end("0") == 0
    (record,) = [
        item for item in committed(settings, SEGMENTS) if Decoder(SEGMENTS.value)(item.value())["change"] == "exited"
    ]
    change = Decoder(SEGMENTS.value)(record.value())
    assert change["timestamp_ms"] == at_ms + 30 * DAY_MS + 1
    tick_and_commit_ms = settings.timer_interval_ms + settings.commit_interval_ms
    assert record.timestamp()[1] - change["timestamp_ms"] < 10 * tick_and_commit_ms * slowness()
