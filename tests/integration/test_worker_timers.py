"""Timers on the real broker: profiles are woken with no event, also after a crash, each wake with effect once."""

import signal
import time
from collections import defaultdict

import pytest

from pipeline.avro.wire import Decoder
from pipeline.kafka.admin import ensure_topics
from pipeline.settings import Settings
from pipeline.topics import EVENTS, UPDATES
from tests.support.events import as_sent, web_event
from tests.support.fleet import Fleet
from tests.support.records import committed, send

pytestmark = pytest.mark.kafka

PEOPLE = 12


@pytest.fixture
def settings(kafka, topic_prefix, tmp_path):
    made = Settings(
        bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=topic_prefix,
        application_id=topic_prefix,
        partitions=3,
        home=tmp_path,
        session_timeout_ms=2000,
        timer_interval_ms=50,
        refresh_interval_ms=300,
    )
    ensure_topics(made)
    return made


def versions(settings: Settings) -> dict[str, list[int]]:
    """Every profile's versions in the order published."""
    decode, result = Decoder("profile-update"), defaultdict(list)
    for message in committed(settings, UPDATES):
        result[message.key().decode()].append(decode(message.value())["version"])
    return result


def grown(settings: Settings, before: dict[str, list[int]], by: int) -> bool:
    now = versions(settings)
    return len(now) == PEOPLE and all(len(now[key]) >= len(before.get(key, ())) + by for key in now)


def published(settings: Settings, times: int) -> bool:
    return sum(map(len, versions(settings).values())) >= times


def test_profiles_are_published_again_as_time_passes_through_a_crash_each_version_once(settings):
    now_ms = int(time.time() * 1000)
    send(settings, EVENTS["web"], [as_sent(web_event(f"m{n}", [f"user_id:u{n}"], now_ms)) for n in range(PEOPLE)])
    with Fleet(settings) as fleet:
        fleet.start("0")
        fleet.start("1")
        fleet.until("everybody was published three times", lambda: grown(settings, {}, 3))
        fleet.end("0", signal.SIGKILL)
        before = versions(settings)
        fleet.start("0")
        fleet.until("and goes on", lambda: grown(settings, before, 3))
        assert fleet.metric("1", "stitchline_timers_total") > 0
        for worker in ("0", "1"):
            assert fleet.end(worker) == 0
    for seen in versions(settings).values():
        assert seen == list(range(1, len(seen) + 1))


def test_a_replay_waits_for_its_first_event_also_where_none_comes(settings):
    """Before its first event a partition's clock stands before 1970; two of three partitions get none."""
    with Fleet(settings) as fleet:
        fleet.start("0", clock="stream")
        fleet.until_ready("0")
        for number in range(3):
            now_ms = int(time.time() * 1000)
            send(settings, EVENTS["web"], [as_sent(web_event(f"m{number}", ["user_id:u1"], now_ms))])
            fleet.until(f"event {number} is published", lambda number=number: published(settings, number + 1))
        assert fleet.end("0") == 0
