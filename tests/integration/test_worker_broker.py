"""A worker and its broker: one that is not there, one that goes away and comes back."""

import socket
import time

import pytest

from pipeline.local.kafka import LocalKafka
from pipeline.local.ports import LOOPBACK, free_ports
from pipeline.settings import Settings
from pipeline.topics import EVENTS
from tests.support.events import as_sent, events_of_profiles, web_event
from tests.support.fleet import Fleet
from tests.support.records import send
from tests.support.waiting import eventually

pytestmark = pytest.mark.kafka

FIRST_ANSWER_SECONDS = 40.0
RECOVERY_SECONDS = 90.0
CUSTOMERS, SHARE = 100, 2_000


def assert_gives_up(settings: Settings) -> str:
    """The worker ends with exit code 1 within bounded time; its last line."""
    with Fleet(settings) as fleet:
        fleet.start("a")
        assert fleet.ended("a", FIRST_ANSWER_SECONDS) == 1
        return fleet.said("a").splitlines()[-1]


def test_an_unreachable_address_is_reported_in_one_line(tmp_path):
    (port,) = free_ports(1)
    line = assert_gives_up(Settings(bootstrap_servers=f"{LOOPBACK}:{port}", home=tmp_path))
    assert line.startswith(f"stitchline: no Kafka broker answers at {LOOPBACK}:{port}")
    assert "STITCHLINE_BOOTSTRAP_SERVERS" in line


def test_a_server_that_is_not_a_broker_is_reported_in_one_line(tmp_path):
    with socket.create_server((LOOPBACK, 0)) as mute:
        address = f"{LOOPBACK}:{mute.getsockname()[1]}"
        line = assert_gives_up(Settings(bootstrap_servers=address, home=tmp_path))
    assert line.startswith(f"stitchline: no Kafka broker answers at {address}")


def test_an_occupied_http_port_is_reported_in_one_line(kafka, topic_prefix, tmp_path):
    settings = Settings(
        bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix, application_id=topic_prefix, home=tmp_path
    )
    with socket.create_server((LOOPBACK, 0)) as taken, Fleet(settings) as fleet:
        fleet.start("a", http_port=taken.getsockname()[1])
        assert fleet.ended("a", FIRST_ANSWER_SECONDS) == 1
        line = fleet.said("a").splitlines()[-1]
    assert line.startswith("stitchline: cannot serve health pages")
    assert "STITCHLINE_HTTP_PORT" in line


def test_a_broker_that_comes_back_finds_the_worker_going_on_or_to_be_started_again(tmp_path):
    (port,) = free_ports(1)
    broker = LocalKafka(tmp_path / "kafka", port=port)
    settings = Settings(bootstrap_servers=f"{LOOPBACK}:{port}", partitions=4, home=tmp_path, session_timeout_ms=3000)
    with broker, Fleet(settings) as fleet:
        fleet.start("a")
        fleet.until_ready("a")
        now_ms = time.time_ns() // 1_000_000
        events = [as_sent(web_event(f"m{n}", [f"user_id:c{n % CUSTOMERS}"], now_ms)) for n in range(2 * SHARE)]
        send(settings, EVENTS["web"], events[:SHARE])
        fleet.until("it is at work", lambda: fleet.metric("a", "stitchline_commits_total") > 0)
        broker.stop()
        broker.start()
        send(settings, EVENTS["web"], events[SHARE:])
        expected = {f"user_id:c{number}": 2 * SHARE // CUSTOMERS for number in range(CUSTOMERS)}

        def counted() -> bool:
            code = fleet.running["a"].poll()
            if code is not None:
                assert code == 1
                assert fleet.said("a").splitlines()[-1].startswith("stitchline: ")
                fleet.start("a")
            return events_of_profiles(settings) == expected

        eventually(
            counted,
            "every event is counted",
            lambda: fleet.said("a")[-3000:],
            idle_seconds=RECOVERY_SECONDS,
            interval_seconds=0.2,
        )
        assert fleet.end("a") == 0
