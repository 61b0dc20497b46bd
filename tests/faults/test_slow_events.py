"""A worker that catches up with work for many transactions: none is open for so long that the broker fences it."""

import time
from pathlib import Path

import pytest

from pipeline.local.broker import Broker
from pipeline.settings import Settings
from pipeline.topics import EVENTS
from tests.faults.slow_events_worker import EVENT_S
from tests.support.events import as_sent, events_of_profiles, web_event
from tests.support.fleet import Fleet
from tests.support.records import send
from tests.support.waiting import eventually

pytestmark = pytest.mark.kafka

PROGRAM = ("-m", "tests.faults.slow_events_worker")
TIMEOUT_MS = 4_000
ABORT_SCAN_MS = 10_000
"""Brokers look for expired transactions this often: ``transaction.abort.timed.out.transaction.cleanup.interval.ms``."""
CUSTOMERS = 10
EVENTS_SENT = int(1.5 * (TIMEOUT_MS + ABORT_SCAN_MS) / 1000 / EVENT_S) // CUSTOMERS * CUSTOMERS
"""In one transaction, this many would be open for longer than any broker allows."""


def test_a_backlog_of_slow_events_is_committed_in_time(kafka: Broker, topic_prefix: str, tmp_path: Path) -> None:
    settings = Settings(
        bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix, application_id=topic_prefix,
        home=tmp_path, partitions=1, transaction_timeout_ms=TIMEOUT_MS,
        commit_interval_ms=500, catch_up_interval_ms=1000,
    )  # fmt: skip
    now_ms = time.time_ns() // 1_000_000
    events = [as_sent(web_event(f"m{n}", [f"user_id:c{n % CUSTOMERS}"], now_ms)) for n in range(EVENTS_SENT)]
    with Fleet(settings, PROGRAM) as fleet:
        fleet.start("a")
        fleet.until_ready("a")
        send(settings, EVENTS["web"], events)
        expected = {f"user_id:c{number}": EVENTS_SENT // CUSTOMERS for number in range(CUSTOMERS)}
        eventually(
            lambda: events_of_profiles(settings) == expected, "every event is counted once",
            lambda: fleet.said("a")[-3000:],
            interval_seconds=0.5,
        )  # fmt: skip
        assert fleet.metric("a", "stitchline_commit_failures_total") == 0
        assert fleet.metric("a", "stitchline_aborts_total") == 0
        assert fleet.end("a") == 0
