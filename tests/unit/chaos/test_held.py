"""What workers hold behind watermarks: known only if every partition's worker has restored it and answers."""

import math
from collections.abc import Iterator

import pytest

from pipeline.chaos.check_standing import Left, held
from pipeline.local.ports import free_ports
from pipeline.obs import metrics as m
from pipeline.obs.http import HealthServer
from pipeline.obs.http_thread import HealthThread
from pipeline.topics import StageName


@pytest.fixture
def metrics() -> m.Metrics:
    return m.Metrics()


@pytest.fixture
def port(metrics: m.Metrics) -> Iterator[int]:
    server = HealthServer(metrics, ready=list, alive=list, host="127.0.0.1", port=0)
    with HealthThread(server):
        yield server.port


def show(metrics: m.Metrics, partitions: int, count: float = 0.0) -> None:
    for stage in StageName:
        for partition in range(partitions):
            metrics.set(m.HELD, count, stage, str(partition))


def test_nothing_is_held_if_every_partition_shows_zero(metrics: m.Metrics, port: int) -> None:
    show(metrics, 2)
    assert held([port], 2) == Left(0, [])


def test_a_partition_that_is_not_restored_may_hold_anything(metrics: m.Metrics, port: int) -> None:
    show(metrics, 1)
    left = held([port], 2)
    assert left.records == math.inf
    assert left.texts == [f"held: inf records of {stage} 1" for stage in StageName]


def test_a_worker_that_does_not_answer_may_hold_anything() -> None:
    assert held(free_ports(1), 1).records == math.inf


def test_records_of_all_workers_count(metrics: m.Metrics, port: int) -> None:
    show(metrics, 1)
    metrics.set(m.HELD, 7, StageName.PROFILE, "0")
    assert held([port], 1) == Left(7, ["held: 7.0 records of profile 0"])
