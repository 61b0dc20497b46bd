"""A broker that is killed and stays away for longer than every timeout: the worker lives and goes on by itself."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Self

import pytest

from pipeline.local.kafka import LocalKafka
from pipeline.local.ports import free_ports
from pipeline.local.process import is_running, wait_until
from pipeline.settings import Settings
from pipeline.stream.supervisor import END_GRACE_SECONDS
from pipeline.topics import EVENTS
from tests.support.events import as_sent, events_of_profiles, web_event
from tests.support.fleet import Fleet
from tests.support.records import send
from tests.support.waiting import deadline_seconds, eventually

pytestmark = pytest.mark.kafka

AWAY_S = 28.0
"""Longer than the session (3 s), than the transaction (15 s), and than every wait of the worker (10 s, then 15 s)."""
AT_ONCE_S = 1.0
CUSTOMERS, SHARE = 50, 1_000
SAMPLE_S = 0.25


class Prober:
    """Requests ``/livez`` and ``/readyz`` of a worker again and again, in a thread."""

    def __init__(self, fleet: Fleet) -> None:
        self.live: list[tuple[int, float]] = []
        """Status and duration of each answer."""
        self.ready: list[tuple[float, str]] = []
        """When, and what was answered."""
        self._fleet, self._over = fleet, Event()
        self._thread = Thread(target=self._probe)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _probe(self) -> None:
        while not self._over.wait(SAMPLE_S):
            began = time.monotonic()
            status, _ = self._fleet.page("a", "livez")
            self.live.append((status, time.monotonic() - began))
            self.ready.append((time.monotonic(), self._fleet.page("a", "readyz")[1]))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalKafka]:
    (port,) = free_ports(1)
    kafka = LocalKafka(tmp_path / "kafka", detached=True, port=port).start()
    try:
        yield kafka
    finally:
        kafka.stop()


def kill(broker: LocalKafka) -> None:
    os.kill(broker.pid, signal.SIGKILL)
    wait_until(lambda: not is_running(broker.pid), 10, "the broker outlived kill -9")


def test_a_worker_that_gets_sigterm_during_an_outage_ends_before_its_supervisor_kills_it(
    broker: LocalKafka, tmp_path: Path
) -> None:
    settings = Settings(
        bootstrap_servers=broker.bootstrap_servers, partitions=2, home=tmp_path, commit_interval_ms=3000,
        catch_up_interval_ms=3000,
    )  # fmt: skip
    now_ms = time.time_ns() // 1_000_000
    with Fleet(settings) as fleet:
        fleet.start("a")
        fleet.until_ready("a")
        send(settings, EVENTS["web"], [as_sent(web_event(f"m{n}", ["user_id:c"], now_ms)) for n in range(SHARE)])
        fleet.until("it reads", lambda: fleet.metric("a", "stitchline_batch_seconds_count", stage="intake") > 0)
        kill(broker)  # in an open transaction
        began = time.monotonic()
        assert fleet.end("a") == 0
        assert time.monotonic() - began < deadline_seconds(END_GRACE_SECONDS)
        assert all(json.loads(line) for line in fleet.said("a").splitlines())


def test_a_worker_lives_through_an_outage_that_is_longer_than_every_timeout(broker: LocalKafka, tmp_path: Path) -> None:
    settings = Settings(
        bootstrap_servers=broker.bootstrap_servers, partitions=2, home=tmp_path, session_timeout_ms=3000,
        commit_interval_ms=3000, catch_up_interval_ms=3000,
    )  # fmt: skip
    now_ms = time.time_ns() // 1_000_000
    events = [as_sent(web_event(f"m{n}", [f"user_id:c{n % CUSTOMERS}"], now_ms)) for n in range(3 * SHARE)]
    with Fleet(settings) as fleet:
        fleet.start("a")
        fleet.until_ready("a")
        pid = fleet.running["a"].pid
        send(settings, EVENTS["web"], events[:SHARE])
        fleet.until("it is at work", lambda: fleet.metric("a", "stitchline_commits_total") > 0)
        # A broker that is killed between a commit and its markers may never write them (ADR 13): all readers stand.
        fleet.until(
            "the markers are written", lambda: fleet.metric("a", "stitchline_batch_seconds_count", stage="profile")
        )
        send(settings, EVENTS["web"], events[SHARE : 2 * SHARE])  # so that a transaction is open
        fleet.until("it reads", lambda: fleet.metric("a", "stitchline_batch_seconds_count", stage="intake") > 1)
        with Prober(fleet) as prober:
            kill(broker)
            killed = time.monotonic()
            fleet.until("the outage is seen", lambda: "no broker answers since" in fleet.page("a", "readyz")[1])
            while time.monotonic() < killed + AWAY_S:
                assert fleet.running["a"].poll() is None, fleet.said("a")[-3000:]
                time.sleep(SAMPLE_S)
            starting = time.monotonic()
            broker.start()
            back = time.monotonic()
            fleet.until_ready("a")
            for at, answer in prober.ready:
                print(f"{at - back:6.1f} {answer}")
            print(f"ready {time.monotonic() - back:.1f} s after the broker was back")
        send(settings, EVENTS["web"], events[2 * SHARE :])
        expected = {f"user_id:c{number}": 3 * SHARE // CUSTOMERS for number in range(CUSTOMERS)}
        eventually(
            lambda: events_of_profiles(settings) == expected, "every event is counted once",
            lambda: fleet.said("a")[-3000:],
            interval_seconds=0.2,
        )  # fmt: skip
        assert fleet.running["a"].pid == pid
        assert fleet.end("a") == 0
        said = fleet.said("a")
    assert {status for status, _ in prober.live} == {200}
    assert max(seconds for _, seconds in prober.live) < deadline_seconds(AT_ONCE_S)
    during = [answer for at, answer in prober.ready if killed + AWAY_S / 2 < at < starting]
    assert all(
        json.loads(answer)["reasons"][0].startswith("no broker answers since 20") and not json.loads(answer)["ok"]
        for answer in during
    ), during
    entries = [json.loads(line) for line in said.splitlines()]
    for event in ("kafka_away", "kafka_back"):
        assert sum(entry["event"] == event for entry in entries) == 1, said
    assert not [entry for entry in entries if entry["logger"] == "librdkafka"], said
