"""One history, however it is fed, says one thing: what live traffic would have said.

Profiles are compared byte for byte, segment changes and actions as multisets with their times. In memory the whole
history is fed event by event, day by day, in one file and in shuffled files; on Kafka with one partition, with eight,
and with two workers of which one is killed. ``STITCHLINE_REPLAY_EVENTS`` sets the number of events of every form.
"""

import os
import random
import signal
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.event.duration import DAY_MS
from pipeline.settings import Settings
from pipeline.topics import ACTIONS, DLQ, SEGMENTS
from tests.acceptance.command import run
from tests.support.fleet import Fleet
from tests.support.records import committed
from tests.support.replay_history import history, rules_in
from tests.support.replay_outcome import Outcome, Replay, counted, encoded, values

Json = dict[str, Any]
SEED = int(os.environ.get("STITCHLINE_SEED", "7"))
FULL = int(os.environ.get("STITCHLINE_REPLAY_EVENTS", "0"))
IN_MEMORY, ONE_BY_ONE, ON_KAFKA = FULL or 30_000, FULL or 6_000, FULL or 2_000
REPLAY = f"replay: STITCHLINE_SEED={SEED} STITCHLINE_REPLAY_EVENTS={FULL} pytest {__file__}"
IDLE_MS = 3_000


@pytest.fixture(scope="module")
def rules_dir(tmp_path_factory) -> Path:
    return rules_in(tmp_path_factory.mktemp("rules"))


@pytest.fixture(scope="module")
def events() -> list[Json]:
    return history(IN_MEMORY, SEED)


def days(events: list[Json], number: int = 1) -> list[list[Json]]:
    """Returns the events in parts of a number of days."""
    return [list(part) for _, part in groupby(events, key=lambda event: event["timestamp"] // (number * DAY_MS))]


def at_once(replay: Replay, events: list[Json]) -> None:
    replay.feed(events)


def day_by_day(replay: Replay, events: list[Json]) -> None:
    for part in days(events):
        replay.feed(part)
        replay.simulation.process()


def one_by_one(replay: Replay, events: list[Json]) -> None:
    for event in events:
        replay.feed([event])
        replay.simulation.process()


def in_shuffled_files(replay: Replay, events: list[Json]) -> None:
    files = days(events, 10)
    random.Random(SEED).shuffle(files)
    for number, part in enumerate(files, 1):
        replay.simulation.begin_source(more=number < len(files))
        replay.feed(part)
        replay.simulation.process()


def replayed(rules_dir: Path, events: list[Json], feed: Callable[[Replay, list[Json]], None]) -> Outcome:
    replay = Replay(rules_dir)
    feed(replay, events)
    return replay.outcome(events[-1]["timestamp"])


def live(rules_dir: Path, events: list[Json]) -> Outcome:
    """Returns what the wall clock makes of events that arrive at their time, one by one, timers before each."""
    now = [0]
    replay = Replay(rules_dir, lambda: now[0])
    for event in events:
        now[0] = event["timestamp"]
        replay.simulation.advance(now[0])
        replay.feed([event])
        replay.simulation.settle()
    return replay.outcome(now[0])


@pytest.fixture(scope="module")
def expected(rules_dir, events) -> Outcome:
    outcome = replayed(rules_dir, events, at_once)
    names = {msgspec.json.decode(action)["trigger"] for action in outcome.actions}
    assert names == {"hot", "cooled", "win_back"}
    return outcome


@pytest.mark.parametrize("feed", [day_by_day, in_shuffled_files], ids=lambda feed: feed.__name__)
def test_however_a_history_is_fed_in_memory_it_says_the_same(rules_dir, events, expected, feed):
    assert_equal(replayed(rules_dir, events, feed), expected)


def test_a_replay_says_what_live_traffic_would_have_said(rules_dir):
    some = history(ONE_BY_ONE, SEED + 1)
    expected = replayed(rules_dir, some, at_once)
    assert_equal(replayed(rules_dir, some, one_by_one), expected)
    assert_equal(live(rules_dir, some), expected)


def assert_equal(ours: Outcome, theirs: Outcome) -> None:
    """Fails with the first differences."""
    for name in ("segment_changes", "actions"):
        mine, others = getattr(ours, name), getattr(theirs, name)
        more, less = list((mine - others).elements()), list((others - mine).elements())
        assert not more, f"{len(more)} further {name}, {len(less)} missing: {more[:2]} for {less[:2]}; {REPLAY}"
        assert not less, f"{len(less)} {name} are missing: {less[:2]}; {REPLAY}"
    pairs = zip(ours.profiles.splitlines(), theirs.profiles.splitlines(), strict=True)
    different = [pair for pair in pairs if pair[0] != pair[1]]
    assert not different, f"{len(different)} profiles differ: {different[:1]}; {REPLAY}"


# Kafka


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("log") / "history.ndjson"
    lines = [msgspec.json.encode(event) + b"\n" for event in history(ON_KAFKA, SEED)]
    path.write_bytes(b"".join(lines))
    return path


@pytest.fixture(scope="module")
def simulated(log, rules_dir, tmp_path_factory) -> Outcome:
    """The outcome of ``simulate`` on the history in one file."""
    out = tmp_path_factory.mktemp("simulated")
    run(Settings(), "simulate", log, "--rules", rules_dir, "--out", out)
    outputs = [values((out / f"{name}.ndjson").read_bytes()) for name in ("segment-changes", "crm-actions")]
    return Outcome((out / "profiles.ndjson").read_bytes(), *map(counted, outputs))


@pytest.mark.kafka
@pytest.mark.parametrize(("partitions", "is_killed"), [(1, False), (8, False), (8, True)])
def test_kafka_says_what_simulate_says(kafka, topic_prefix, tmp_path, log, rules_dir, simulated, partitions, is_killed):
    settings = Settings(
        bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix, application_id=topic_prefix,
        partitions=partitions, home=tmp_path, rules_dir=rules_dir, clock="stream", stream_idle_ms=IDLE_MS,
        timer_interval_ms=100, batch_records=500, catch_up_interval_ms=300, session_timeout_ms=6_000,
    )  # fmt: skip
    run(settings, "ingest", log)
    with Fleet(settings) as fleet:
        fleet.start("a")
        if is_killed:
            fleet.start("b")
            fleet.until("there are segment changes", lambda: len(committed(settings, SEGMENTS)) > 50)
            fleet.end("a", signal.SIGKILL)
        total = sum(simulated.actions.values()), sum(simulated.segment_changes.values())
        fleet.until("everything is decided", lambda: (decided(settings, ACTIONS), decided(settings, SEGMENTS)) >= total)
        exported = tmp_path / "profiles.ndjson"
        run(settings, "profile", "export", exported, "--as-of", "latest")
        for worker_id in list(fleet.running):
            assert fleet.end(worker_id) == 0
    assert committed(settings, DLQ) == []
    ours = Outcome(
        exported.read_bytes(), encoded(committed(settings, SEGMENTS), SEGMENTS),
        encoded(committed(settings, ACTIONS), ACTIONS),
    )  # fmt: skip
    assert_equal(ours, simulated)


def decided(settings: Settings, topic: Any) -> int:
    """Returns the number of committed records of an output."""
    return len(committed(settings, topic))
