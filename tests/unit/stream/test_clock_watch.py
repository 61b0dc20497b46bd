"""A worker whose clock is set two days on or back goes on, loses nothing, and says so."""

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from connectors.sources.outgoing import EventEncoder, Outgoing
from pipeline.avro.registry import FileIds
from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.event.parse import Defaults
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.simulate.simulation import Simulation
from pipeline.stream.clock_watch import STEP_MS, WatchedClock
from pipeline.topics import DLQ

NOW_MS = 1_772_400_000_000
RULES = load_rules()


class Machine:
    """A machine's two clocks: one that is set, one that only passes."""

    def __init__(self) -> None:
        self.wall_ms, self.seconds = NOW_MS, 1000.0

    def passes(self, ms: int) -> None:
        self.wall_ms += ms
        self.seconds += ms / 1000


class Worker:
    """The stages by the machine's wall clock."""

    def __init__(self, machine: Machine) -> None:
        clock = WatchedClock(lambda: machine.wall_ms, lambda: machine.seconds)
        self.simulation = Simulation(Settings(clock="wall"), RULES, clock)
        self._encode = EventEncoder(RULES.intake, RULES.identifiers, FileIds(), "cdp", Defaults())
        self._sent = 0

    def send(self, at_ms: int) -> None:
        self._sent += 1
        event: dict[str, Any] = {
            "type": "track", "event": "product_viewed", "channel": "web", "messageId": f"m{self._sent}",
            "timestamp": at_ms, "userId": "ada",
        }  # fmt: skip
        sent = self._encode(event)
        assert isinstance(sent, Outgoing), sent
        self.simulation.feed(sent.topic, sent.key, sent.value)
        self.simulation.settle()
        for stage in self.simulation.stages.values():
            while stage.tick():
                self.simulation.settle()

    def touches(self) -> int:
        return sum(ledger.touches for _, row in self.simulation.profiles() for ledger in row.ledgers())


def test_a_step_of_two_days_on_and_back_loses_nothing_and_is_logged(logged: list[Any]) -> None:
    machine = Machine()
    worker = Worker(machine)
    worker.send(machine.wall_ms)
    for step_ms in (2 * DAY_MS, -2 * DAY_MS):
        machine.wall_ms += step_ms
        worker.send(machine.wall_ms)
        machine.passes(HOUR_MS)
        worker.send(machine.wall_ms)

    assert worker.touches() == 5
    assert worker.simulation.take(DLQ) == []
    assert steps(logged) == [172_800, -172_800]


def test_events_of_the_true_time_are_quarantined_by_a_clock_that_is_behind(logged: list[Any]) -> None:
    machine = Machine()
    worker = Worker(machine)
    worker.send(NOW_MS)
    machine.wall_ms -= 2 * DAY_MS
    worker.send(NOW_MS)

    (record,) = worker.simulation.take(DLQ)
    facts = dict(record.headers() or [])
    assert b"future" in b" ".join(facts.values())
    machine.wall_ms += 2 * DAY_MS
    worker.send(NOW_MS)
    assert worker.touches() == 2
    assert steps(logged) == [-172_800, 172_800]


def test_a_clock_that_only_passes_or_is_slewed_is_not_reported(logged: list[Any]) -> None:
    machine = Machine()
    clock = WatchedClock(lambda: machine.wall_ms, lambda: machine.seconds)
    for _ in range(100):
        machine.passes(HOUR_MS)
        machine.wall_ms += STEP_MS // 200
        assert clock() == machine.wall_ms
    assert steps(logged) == []


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with capture_logs() as entries:
        yield entries


def steps(logged: list[Any]) -> list[int]:
    """The seconds of every ``clock_stepped``."""
    return [entry["seconds"] for entry in logged if entry["event"] == "clock_stepped"]
