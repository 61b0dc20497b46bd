"""A worker as an operator sees it: its pages, its end, its partners, its state folder."""

import shutil
import signal
import time

import pytest

from pipeline.settings import Settings
from pipeline.topics import CHANGELOGS, EVENTS
from tests.support.events import as_sent, events_of_profiles, web_event
from tests.support.fleet import Fleet
from tests.support.records import committed, send
from tests.support.waiting import deadline_seconds

pytestmark = pytest.mark.kafka

PARTITIONS, CUSTOMERS, EVENTS_EACH = 4, 200, 3
STAGES = ("intake", "profile", "route", "stitch")
HELD = len(STAGES) * PARTITIONS
CLEAN_EXIT_SECONDS = 10.0
SESSION_MS = 300_000
"""Long, so that whoever waits for a member that left without a word waits too long for these tests."""


@pytest.fixture
def settings(kafka, topic_prefix, tmp_path):
    return Settings(
        bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=topic_prefix,
        application_id=topic_prefix,
        partitions=PARTITIONS,
        home=tmp_path,
        session_timeout_ms=SESSION_MS,
    )


@pytest.fixture
def fleet(settings):
    with Fleet(settings) as running:
        yield running


def give(settings: Settings, name: str) -> dict[str, int]:
    """Send a few events of every customer; what is to be counted of them."""
    now_ms = time.time_ns() // 1_000_000
    numbers = range(CUSTOMERS * EVENTS_EACH)
    owner = [f"user_id:{name}{number % CUSTOMERS}" for number in numbers]
    send(settings, EVENTS["web"], [as_sent(web_event(f"{name}{n}", [owner[n]], now_ms)) for n in numbers])
    return dict.fromkeys(owner, EVENTS_EACH)


def rows(settings: Settings) -> dict[tuple[str, bytes], bytes]:
    """The newest row of every key in every changelog."""
    return {
        (stage, message.key()): message.value()
        for stage in STAGES
        for message in committed(settings, CHANGELOGS[stage])
    }


def test_a_worker_logs_when_it_is_ready_and_its_stages(settings, fleet):
    fleet.start("a")
    fleet.until("the pages answer", lambda: fleet.page("a", "livez")[0] == 200)
    fleet.until_ready("a")
    assert fleet.reasons("a") == []
    expected = give(settings, "c")
    fleet.until("every event is counted", lambda: events_of_profiles(settings) == expected)
    assert fleet.metric("a", "stitchline_records_consumed_total", stage="intake") == CUSTOMERS * EVENTS_EACH
    assert fleet.metric("a", "stitchline_records_produced_total", topic="profile.touches.v1") == CUSTOMERS * EVENTS_EACH
    assert fleet.metric("a", "stitchline_state_writes_total", table="profiles") >= CUSTOMERS
    assert fleet.metric("a", "stitchline_delay_seconds_count", stage="profile") > 0
    fleet.until("partitions are shown", lambda: fleet.metric("a", "stitchline_assigned_partitions") == HELD)
    fleet.until("rows are shown", lambda: fleet.metric("a", "stitchline_cached_rows", table="profiles") == CUSTOMERS)
    assert fleet.metric("a", "stitchline_restoring_partitions") == 0
    assert fleet.metric("a", "stitchline_ready") == 1
    page = fleet.page("a", "metrics")[1]
    assert 'stitchline_lag_records{partition="0",stage="intake",topic="events.web.v1"}' in page
    fleet.until("nothing is left to do", lambda: fleet.metric("a", "stitchline_lag_records") == 0)
    assert fleet.end("a") == 0


def test_sigterm_ends_a_worker_at_once_and_leaves_the_group_to_the_other(settings, fleet):
    fleet.start("a")
    fleet.until_ready("a")
    fleet.start("b")
    fleet.until_ready("b")
    fleet.until_ready("a")
    current = "stitchline_assigned_partitions"
    half = HELD // 2
    fleet.until("partitions are shared", lambda: [fleet.metric(worker, current) for worker in "ab"] == [half, half])
    expected = give(settings, "c")
    began = time.monotonic()
    assert fleet.end("a") == 0
    assert time.monotonic() - began < deadline_seconds(CLEAN_EXIT_SECONDS)
    fleet.until("b has all", lambda: fleet.metric("b", current) == 2 * half, CLEAN_EXIT_SECONDS)
    fleet.until_ready("b")
    expected |= give(settings, "d")
    fleet.until("every event is counted", lambda: events_of_profiles(settings) == expected)
    assert fleet.end("b") == 0


def test_a_worker_that_waited_for_a_frozen_member_gets_its_partitions(settings, fleet):
    fleet.settings = settings.model_copy(update={"session_timeout_ms": 3000})
    for worker in "ab":
        fleet.start(worker)
    fleet.until_ready("a", "b")
    fleet.running["a"].send_signal(signal.SIGSTOP)
    fleet.start("c")  # makes the group begin anew, which cannot end before a's session does
    fleet.until_ready("b", "c")
    expected = give(settings, "c")
    fleet.until("every event is counted", lambda: events_of_profiles(settings) == expected)
    fleet.end("a", signal.SIGKILL)


def test_state_that_was_deleted_comes_back_from_the_changelog(settings, fleet):
    fleet.start("a")
    fleet.until_ready("a")
    expected = give(settings, "c")
    fleet.until("every event is counted", lambda: events_of_profiles(settings) == expected)
    fleet.until("nothing is left to do", lambda: fleet.metric("a", "stitchline_lag_records") == 0)
    assert fleet.end("a") == 0
    before = rows(settings)
    shutil.rmtree(settings.home / "state")
    fleet.start("a")
    fleet.until_ready("a")
    restored = {stage: fleet.metric("a", "stitchline_restore_rows_total", stage=stage) for stage in STAGES}
    assert restored["intake"] >= CUSTOMERS
    assert restored["profile"] >= CUSTOMERS
    assert rows(settings) == before
    again = give(settings, "c")  # the same message ids: all known
    more = give(settings, "d")
    fleet.until("the new are counted, the old are not again", lambda: events_of_profiles(settings) == again | more)
    assert fleet.metric("a", "stitchline_results_total", result="drop", reason="duplicate") == len(again) * EVENTS_EACH
    assert fleet.end("a") == 0
