"""A worker and a source that its loss breaker has stopped: it refuses, keeps it paused, and resumes it."""

from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.kafka.topic_partition import TopicPartition
from pipeline.obs import metrics as m
from pipeline.settings import Settings
from pipeline.stream.dlq import LossBreaker
from pipeline.stream.ownership import Assignment, ProcessEnvironment, StagePartition
from pipeline.stream.poller import Batch
from pipeline.stream.stages.intake import INTAKE
from pipeline.stream.worker import Worker
from pipeline.testing.kafka import MemoryRecord

APP, WEB = (TopicPartition(f"cdp.events.{channel}.v1", 0) for channel in ("app", "web"))


class Recorder:
    """A poller or unit of work that records the calls to it."""

    def __init__(self, calls: list[tuple[Any, ...]], **fixed: Any) -> None:
        self._calls = calls
        vars(self).update(fixed)

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self._calls.append((name, *arguments))
            return True if name == "take" else None

        return call


class Scene:
    held = 0

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.breaker, self.metrics = LossBreaker(0.5, 10), m.Metrics()
        context = SimpleNamespace(settings=Settings(), metrics=self.metrics, breaker=self.breaker)
        unit = Recorder(self.calls, records=0)
        environment = ProcessEnvironment(lambda: 0.0, None, None, None, None)  # type: ignore[arg-type]
        self.worker = Worker([INTAKE], context, unit, environment)  # type: ignore[arg-type]
        self.worker.poller = Recorder(  # type: ignore[assignment]
            self.calls, held=frozenset({APP, WEB}), epoch=0, backlog=0, has_untaken=True, has_earlier=False, group=None,
            note_commit=lambda: None,
        )  # fmt: skip
        self.worker.ownership.tasks[StagePartition("intake", 0)] = SimpleNamespace(logic=self)  # type: ignore[assignment]
        self.worker.ownership.is_ready = True

    def on_batch(self, topic: str, batch: Batch) -> None:
        """Is the stage's logic: every record of the app topic is bad."""
        self.calls.append(("processed", topic))
        self.breaker.count("intake", topic, len(batch), len(batch) if topic == APP.topic else 0)

    def take(self, at: TopicPartition) -> None:
        batch = Batch(at, 0)
        batch.extend(MemoryRecord(at.topic, offset, None, b"", None) for offset in range(10))
        self.worker.take("intake", batch)

    def called(self, *names: str) -> list[tuple[Any, ...]]:
        return [call for call in self.calls if call[0] in names]


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.take(APP)
    return scene


def test_the_batch_in_which_it_trips_is_taken_and_later_ones_of_the_topic_are_not(scene: Scene) -> None:
    scene.take(APP)
    scene.take(WEB)
    assert scene.called("processed", "pause") == [
        ("processed", APP.topic),
        ("pause", APP.topic),
        ("processed", WEB.topic),
    ]
    assert [call[:2] for call in scene.called("consumed")] == [("consumed", APP.topic), ("consumed", WEB.topic)]
    assert scene.metrics.value(m.SOURCE_STOPPED, "intake", "events.app.v1") == 1
    (reason,) = scene.worker.why_not_ready()
    assert reason.startswith(f"stopped reading {APP.topic}: 100% of the last records")


def test_a_new_assignment_leaves_it_paused(scene: Scene) -> None:
    scene.worker._ready(Assignment({APP, WEB}, [], 0.0))
    assert scene.called("resume") == [("resume", [WEB])]


def test_it_is_resumed_from_the_committed_offsets_and_may_trip_again(scene: Scene) -> None:
    scene.worker.resume_sources()
    assert [call[0] for call in scene.called("commit", "rewind", "resume")] == ["commit", "rewind", "resume"]
    assert scene.called("resume") == [("resume", [APP])]
    assert scene.metrics.value(m.SOURCE_STOPPED, "intake", "events.app.v1") == 0
    assert scene.worker.why_not_ready() == []
    scene.take(APP)
    assert len(scene.called("pause")) == 2


def test_resuming_without_a_stopped_source_does_nothing() -> None:
    scene = Scene()
    scene.worker.resume_sources()
    assert scene.calls == []
