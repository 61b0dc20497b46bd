"""Taking partitions over: what a health page reads meanwhile, what ends it, what a failure leads to."""

from types import SimpleNamespace

import pytest

from pipeline.kafka.topic_partition import TopicPartition
from pipeline.obs.metrics import Metrics
from pipeline.settings import Settings
from pipeline.stream.ownership import MAX_NAMED, PartitionOwnership, ProcessEnvironment, StagePartition
from pipeline.stream.stages.base import StageSpec
from pipeline.testing.store import MemoryStore
from pipeline.topics import TOUCHES

TOPIC = TOUCHES.of("cdp")
PROFILE = StageSpec("profile", (TOUCHES,), (), lambda _context, _partition, store: SimpleNamespace(state=store))


class Steps:
    """Restores that go on when the test says so."""

    def __init__(self):
        self.jobs = []

    def start(self, job, ended):
        self.jobs.append((job, ended))

    def wait(self):
        while self.jobs:
            self.finish(0)

    def finish(self, number):
        job, ended = self.jobs.pop(number)
        try:
            for _ in job:
                pass
        except Exception as error:  # noqa: BLE001 - handed on, as threads do
            ended(error)
        else:
            ended(None)


class Store(MemoryStore):
    is_open = True
    views = ()

    def close(self):
        self.is_open = False


class Scene:
    def __init__(self):
        self.restores, self.stores, self.ready, self.failures = Steps(), [], [], []
        self.refusal = None
        self.now = 0.0
        self.offsets = {}
        environment = ProcessEnvironment(self.clock, self, self.open, self.roll_forward, self.restores)
        context = SimpleNamespace(partitions=2, settings=Settings(), metrics=Metrics())
        self.ownership = PartitionOwnership(context, [PROFILE], environment, self.ready.append, self.failures.append)

    def clock(self):
        self.now += 1
        return self.now

    def committed(self, _group, partitions):
        return {at: self.offsets[at] for at in partitions if at in self.offsets}

    def open(self, _spec, _partition):
        self.stores.append(Store())
        return self.stores[-1]

    def roll_forward(self, *_, is_wanted):
        if self.refusal is not None:
            raise self.refusal
        yield 5

    def take_over(self, count):
        partitions = {TopicPartition(TOPIC, number) for number in range(count)}
        self.offsets = dict.fromkeys(partitions, 7)
        self.ownership.take_over(partitions)


@pytest.fixture
def scene():
    return Scene()


def test_a_health_page_reads_which_partitions_are_restoring_and_then_nothing(scene):
    ownership = scene.ownership
    assert ownership.why_not_ready() == ["no partitions assigned yet"]
    scene.take_over(2)
    assert ownership.why_not_ready() == ["partition 0 of profile is restoring", "partition 1 of profile is restoring"]
    scene.restores.finish(1)
    assert ownership.why_not_ready() == ["partition 1 of profile is restoring"]
    scene.restores.finish(1)
    assert ownership.why_not_ready() == ["waiting for the committed offsets of the group"]
    assert scene.ready == []
    scene.restores.finish(0)
    assert ownership.why_not_ready() == []
    assert [set(assignment.positions.values()) for assignment in scene.ready] == [{7}]
    assert ownership.tasks.keys() == {StagePartition("profile", 0), StagePartition("profile", 1)}


def test_a_health_page_counts_the_partitions_it_does_not_name(scene):
    scene.take_over(MAX_NAMED + 3)
    reasons = scene.ownership.why_not_ready()
    assert len(reasons) == MAX_NAMED + 1
    assert reasons[-1] == "3 more partitions are restoring"


def test_a_worker_without_partitions_is_ready(scene):
    scene.ownership.take_over(set())
    assert scene.ownership.why_not_ready() == []


def test_a_restore_that_is_interrupted_makes_nothing_ready_and_leaves_no_store_open(scene):
    scene.take_over(2)
    scene.restores.finish(1)
    scene.ownership.end_restore()
    scene.ownership.release()
    assert (scene.ready, scene.failures) == ([], [])
    assert [store.is_open for store in scene.stores] == [False]
    assert scene.ownership.why_not_ready() == ["no partitions assigned yet"]


def test_a_restore_that_fails_ends_the_worker_and_closes_its_store(scene):
    scene.refusal = OSError("no space left")
    scene.take_over(1)
    scene.restores.wait()
    assert scene.failures == [scene.refusal]
    assert scene.ready == []
    assert [store.is_open for store in scene.stores] == [False]


def test_offsets_that_stay_unstable_do_not_hold_up_the_restore_for_ever(scene):
    scene.take_over(1)
    scene.offsets = {}
    scene.restores.wait()
    (assignment,) = scene.ready
    assert assignment.positions == {}
