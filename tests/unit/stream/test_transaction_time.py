"""The work of one transaction is bounded by time, so that a worker that catches up is not fenced."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import OperatorError
from pipeline.kafka.topic_partition import TopicPartition
from pipeline.obs.metrics import Metrics
from pipeline.settings import Settings
from pipeline.stream.build import Blueprint
from pipeline.stream.dlq import LossBreaker
from pipeline.stream.ownership import ProcessEnvironment, StagePartition
from pipeline.stream.poller import Batch
from pipeline.stream.stages.base import Context
from pipeline.stream.stages.profile import PROFILE
from pipeline.stream.transaction_time import MAX_SLICE, SliceSize, work_seconds
from pipeline.stream.unit_of_work import ABORT_SECONDS, Committed, settled_within_seconds
from pipeline.stream.worker import Worker
from pipeline.testing.log import MemoryRecord

TOPIC = "cdp.profile.touches.v1"


class SlowWorld:
    """A worker whose records take a fixed time each, on a clock that only they advance."""

    held = 0

    def __init__(self, settings: Settings, seconds_a_record: float) -> None:
        self.seconds, self.seconds_a_record = 0.0, seconds_a_record
        self.processed: list[int] = []
        self.commits: list[tuple[float, int]] = []
        """Seconds that each transaction was open for, and the offset that it committed."""
        self._opened: float | None = None
        self._next = self.records = 0
        context = Context(settings, None, None, None, None, None, LossBreaker(1.0, 1 << 62), Metrics())  # type: ignore[arg-type]
        environment = ProcessEnvironment(lambda: self.seconds, None, None, None, None)  # type: ignore[arg-type]
        self.worker = Worker([PROFILE], context, self, environment)  # type: ignore[arg-type]
        self.worker.poller = SimpleNamespace(  # type: ignore[assignment]
            take=lambda _: True, epoch=0, backlog=1 << 20, has_untaken=False, has_earlier=False,
            group=None, note_commit=lambda: None,
        )  # fmt: skip
        task: Any = SimpleNamespace(logic=self, spec=PROFILE)
        self.worker.ownership.tasks[StagePartition("profile", 0)] = task

    def on_batch(self, _topic: str, part: list[MemoryRecord]) -> None:
        """Stands for the stage."""
        self._opened = self.seconds if self._opened is None else self._opened
        self.processed += [record.offset() for record in part]
        self.seconds += len(part) * self.seconds_a_record

    def consumed(self, _topic: str, _partition: int, next_offset: int, records: int) -> None:
        """Stands for the unit of work, like the rest."""
        self._next = next_offset
        self.records += records

    def poll(self) -> None:
        pass

    def commit(self, _tasks: Any, _group: Any) -> Committed:
        if self._opened is not None:
            self.commits.append((self.seconds - self._opened, self._next))
        done = Committed(self.records, {}, Counter())
        self._opened, self.records = None, 0
        return done


def batch_of(records: int) -> Batch:
    batch = Batch(TopicPartition(TOPIC, 0), 0)
    batch += [MemoryRecord(TOPIC, offset, b"p", b"", None) for offset in range(records)]
    return batch


@pytest.mark.parametrize("seconds_a_record", [0.00001, 0.009, 0.5])
def test_no_transaction_is_open_for_as_long_as_the_brokers_allow(seconds_a_record):
    settings = Settings(transaction_timeout_ms=15_000)
    world = SlowWorld(settings, seconds_a_record)
    world.worker.take("profile", batch_of(4000))
    world.worker.commit()
    assert world.processed == list(range(4000))
    assert [offset for _, offset in world.commits] == sorted({offset for _, offset in world.commits})
    assert world.commits[-1][1] == 4000
    assert max(seconds for seconds, _ in world.commits) < 15


def test_fast_records_are_committed_together():
    world = SlowWorld(Settings(catch_up_interval_ms=2000), 0.0001)
    world.worker.take("profile", batch_of(4000))
    world.worker.commit()
    assert len(world.commits) == 1


def test_a_commit_waits_for_records_that_came_before_the_last_one_but_not_for_long():
    world = SlowWorld(Settings(), 0.001)
    world.worker.poller.backlog = 0
    world.worker.poller.has_earlier = True  # type: ignore[misc]
    world.worker.take("profile", batch_of(100))
    assert world.commits == []
    world.worker.poller.has_earlier = False  # type: ignore[misc]
    world.worker.take("profile", batch_of(10))
    assert len(world.commits) == 1
    world.worker.poller.has_earlier = True  # type: ignore[misc]
    world.worker.take("profile", batch_of(2000))
    assert len(world.commits) == 2


def test_slices_shrink_where_records_are_slow_and_grow_where_they_are_fast():
    size = SliceSize(limit_seconds=5)
    size.took(records=16, seconds=16)
    assert size.records == 1
    for _ in range(20):
        size.took(size.records, seconds=0.001)
    assert size.records == MAX_SLICE


@pytest.mark.parametrize("name", ["commit_interval_ms", "catch_up_interval_ms"])
def test_a_commit_interval_that_leaves_no_time_for_the_commit_is_refused_with_one_line(name):
    settings = Settings(transaction_timeout_ms=5000, **{name: 2600})
    with pytest.raises(OperatorError) as refused:
        Blueprint(settings)
    message = str(refused.value)
    assert message.startswith(
        f"STITCHLINE_{name.upper()} is 2600 ms, more than half of STITCHLINE_TRANSACTION_TIMEOUT_MS"
    )
    assert "write at most 2500" in message
    assert "\n" not in message


def test_a_transaction_counts_as_settled_only_after_brokers_had_time_to_abort_it():
    assert settled_within_seconds(15_000) == 15 + ABORT_SECONDS
    assert ABORT_SECONDS > 10
    assert work_seconds(Settings(transaction_timeout_ms=15_000)) == 5
