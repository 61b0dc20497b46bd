"""Since when no broker answers: one reason, one line when it goes and one when it is back."""

import threading
from datetime import UTC, datetime

import pytest
from confluent_kafka import KafkaError, KafkaException
from structlog.testing import capture_logs

from pipeline.kafka.reach import NoBrokerError
from pipeline.obs import metrics as m
from pipeline.stream.broker_watch import BrokerWatch

BEGIN = datetime(2026, 11, 30, 12, 0, 3, tzinfo=UTC)
AWAY = NoBrokerError("nothing at kafka:9092")


class Cluster:
    """Answers or fails as the test says."""

    error: Exception | None = None

    def metadata(self, timeout_seconds: float) -> object:
        if self.error is not None:
            raise self.error
        return "metadata"


class Scene:
    def __init__(self) -> None:
        self.cluster, self.metrics, self.now = Cluster(), m.Metrics(), 100.0
        self.watch = BrokerWatch(self.cluster, self.metrics, clock=lambda: self.now, wall=lambda: BEGIN)  # type: ignore[arg-type]

    def look(self, seconds: float, error: Exception | None) -> object:
        self.now += seconds
        self.cluster.error = error
        return self.watch.look()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_broker_that_answers_is_no_reason_and_no_line(scene: Scene) -> None:
    with capture_logs() as lines:
        assert scene.look(1, None) == "metadata"
    assert (list(scene.watch.reasons()), lines) == ([], [])


def test_an_outage_is_one_reason_with_its_begin_and_two_lines_however_long_it_lasts(scene: Scene) -> None:
    with capture_logs() as lines:
        for _ in range(50):
            assert scene.look(10, AWAY) is None
            assert scene.watch.reasons() == ["no broker answers since 2026-11-30T12:00:03Z: nothing at kafka:9092"]
        assert scene.metrics.value(m.BROKERS_AWAY) == 490
        scene.look(10, None)
        scene.look(10, None)
    assert [(line["event"], line.get("away_seconds")) for line in lines] == [
        ("kafka_away", None),
        ("kafka_back", 500.0),
    ]
    assert list(scene.watch.reasons()) == []
    assert scene.metrics.value(m.BROKERS_AWAY) == 0


def test_a_broker_that_refuses_has_answered(scene: Scene) -> None:
    scene.look(1, AWAY)
    assert scene.look(1, KafkaException(KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED))) is None
    assert list(scene.watch.reasons()) == []


def test_the_thread_passes_on_what_it_sees_and_ends(scene: Scene) -> None:
    seen: list[object] = []
    first = threading.Event()
    scene.watch.start(lambda metadata: (seen.append(metadata), first.set()))
    assert first.wait(30)
    scene.watch.stop()
    assert seen[0] == "metadata"
