"""The local Kafka of ``up`` without a Kafka: found, brought back, left alone, given up."""

import os
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pipeline.local import attended, detached
from pipeline.local.attended import AttendedKafka, StoppedByHandError
from pipeline.local.process import ServerError


class Server:
    """A broker that runs until the test says otherwise."""

    description = "Apache Kafka 0"
    pid = os.getpid()
    started: ClassVar[list[int]] = []
    refusals: ClassVar[int] = 0
    alive: ClassVar[bool] = False

    def __init__(self, data: Path, port: int = 0) -> None:
        self._port = port
        self.address = ""

    def start(self) -> None:
        if Server.refusals:
            Server.refusals -= 1
            message = "no space left\nthe end of its log"
            raise ServerError(message)
        Server.started.append(self._port)
        Server.alive = True
        self.address = f"127.0.0.1:{self._port or 4711}"

    def ended(self) -> bool:
        return not Server.alive

    def stop(self) -> None:
        Server.alive = False


class World:
    def __init__(self, home: Path) -> None:
        self.home, self.now = home, 0.0
        self.reports: list[tuple[str, float]] = []
        self.kafka = AttendedKafka(home, lambda event, pause: self.reports.append((event, pause)), lambda: self.now)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    Server.started.clear()
    Server.refusals, Server.alive = 0, False
    monkeypatch.setattr(attended, "LocalKafka", Server)
    return World(tmp_path)


def test_a_kafka_that_was_started_here_is_left_word_of_and_ends_with_us(world: World) -> None:
    with world.kafka as kafka:
        assert kafka.address == "127.0.0.1:4711"
        assert detached.is_remembered(world.home, "kafka")
        kafka.check()
    assert not Server.alive
    assert not detached.is_remembered(world.home, "kafka")


def test_one_that_dies_is_started_again_at_its_address_at_once_and_then_after_growing_pauses(world: World) -> None:
    with world.kafka as kafka:
        Server.alive = False
        kafka.check()
        assert Server.started == [0, 4711]
        Server.alive, Server.refusals = False, 2
        for second in range(1, 10):
            world.now = float(second)
            kafka.check()
        assert Server.started == [0, 4711, 4711]
        assert kafka.address == "127.0.0.1:4711"
    assert world.reports == [("kafka_ended", 0.0), ("kafka_ended", 1.0), ("no space left", 2.0), ("no space left", 4.0)]


def test_one_that_was_stopped_by_hand_is_not_started_again(world: World) -> None:
    with world.kafka as kafka:
        Server.alive = False
        detached.forget(world.home, "kafka")
        with pytest.raises(StoppedByHandError, match="stitchline kafka stop"):
            kafka.check()
        assert Server.started == [0]


def test_one_that_runs_already_is_used_and_left_running(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    running: Any = detached.Running("kafka", "Apache Kafka 0", 1, "127.0.0.1:9", "", "x")
    monkeypatch.setattr(detached, "find", lambda *_: running)
    detached.remember(world.home, running)
    with world.kafka as kafka:
        assert kafka.address == "127.0.0.1:9"
        kafka.check()
    assert Server.started == []
    assert detached.is_remembered(world.home, "kafka")
