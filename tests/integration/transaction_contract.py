"""What a unit of work relies on, as tests: subclass :class:`TransactionContract`, say how to reach the log.

Run on Kafka and on its twin in memory, so that what the simulation proves over the one holds over the other.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import confluent_kafka
import pytest

from pipeline.state.partition import PartitionState, change_of
from pipeline.state.store import Change
from pipeline.state.view import msgpack_view
from pipeline.stream.restore import roll_forward
from pipeline.stream.unit_of_work import Aborted, UnitOfWork
from pipeline.testing.store import MemoryStore
from pipeline.topics import CHANGELOGS, TOUCHES, Topic

STAGE, TABLE = "profile", "profiles"
INPUT = "events.web.v1"


class Counting:
    """A task whose one table is committed with the unit of work."""

    stage, partition = STAGE, 0

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.rows = msgpack_view(TABLE, self.store, int, 100)
        self.state = PartitionState(self.store, [self.rows])

    def before_commit(self) -> None:
        """Nothing is coalesced."""


class Deployment(ABC):
    """A log with one partition a topic, an input with one record, and a member of the group that has read it."""

    prefix: str

    @abstractmethod
    def unit(self, refused: Callable[[str], None]) -> UnitOfWork:
        """A started unit of work, always of the same transactional id."""

    @abstractmethod
    def committed(self, topic: Topic) -> list[Any]:
        """What a read-committed consumer sees of a topic."""

    @abstractmethod
    def position(self) -> int:
        """Where the group stands in the input; at or below 0 if it never committed."""

    @abstractmethod
    def membership(self) -> Any:
        """What the member sends with its offsets."""

    @abstractmethod
    def leave(self) -> None:
        """The member leaves the group."""

    @abstractmethod
    def restored(self) -> MemoryStore:
        """A new store, rolled forward by the changelog of the stage."""


def rolled_forward(deployment: Deployment, config: dict[str, str | int], **clients: Any) -> MemoryStore:
    store = MemoryStore()
    topic = CHANGELOGS[STAGE].of(deployment.prefix)
    assert sum(roll_forward(config, topic, 0, store, is_wanted=lambda: True, **clients)) >= 0
    return store


class TransactionContract(ABC):
    @abstractmethod
    @pytest.fixture
    def deployment(self):
        """The log under test."""

    @pytest.fixture
    def refused(self):
        return []

    @pytest.fixture
    def unit(self, deployment, refused):
        return deployment.unit(refused.append)

    def work(self, deployment: Deployment, unit: UnitOfWork, task: Counting, number: int) -> None:
        unit.consumed(f"{deployment.prefix}.{INPUT}", 0, number, 1)
        unit.emit(TOUCHES, "ada", b"%d" % number)
        unit.emit(TOUCHES, "bob", b"%d" % number, [("h", b"1")])
        task.rows.put("ada", number)

    def test_records_offsets_changelog_and_rows_are_committed_together(self, deployment, unit):
        task = Counting()
        self.work(deployment, unit, task, 1)
        assert deployment.committed(TOUCHES) == []
        done = unit.commit([task], deployment.membership)
        assert (done.records, done.produced, done.written) == (1, {TOUCHES.name: 2}, {TABLE: 1})
        assert [message.value() for message in deployment.committed(TOUCHES)] == [b"1", b"1"]
        (record,) = deployment.committed(CHANGELOGS[STAGE])
        assert change_of(record.key(), record.value()) == Change(TABLE, b"ada", b"\x01")
        assert task.store.get(TABLE, b"ada") == b"\x01"
        assert task.store.position() == record.offset() + 1
        assert deployment.position() == 1
        assert unit.commit([task], deployment.membership) is None

    def test_nothing_of_an_aborted_unit_happened_and_the_next_one_is_its_own(self, deployment, unit):
        task = Counting()
        self.work(deployment, unit, task, 1)
        unit.abort()
        task.state.forget()
        assert unit.records == 0
        task.rows.put("bob", 7)
        unit.consumed(f"{deployment.prefix}.{INPUT}", 0, 1, 1)
        done = unit.commit([task], deployment.membership)
        assert (done.produced, done.written) == ({}, {TABLE: 1})
        assert deployment.committed(TOUCHES) == []
        assert [message.key() for message in deployment.committed(CHANGELOGS[STAGE])] == [b"profiles/bob"]

    def test_a_member_that_left_its_group_cannot_commit(self, deployment, unit, refused):
        task = Counting()
        left = deployment.membership()
        self.work(deployment, unit, task, 1)
        deployment.leave()
        with pytest.raises(Aborted, match="transaction aborted"):
            unit.commit([task], lambda: left)
        assert refused == ["fenced"]
        assert deployment.committed(TOUCHES) == []
        assert deployment.position() <= 0
        assert task.store.get(TABLE, b"ada") is None

    def test_a_second_holder_of_the_transactional_id_ends_the_first(self, deployment, unit, refused):
        task = Counting()
        self.work(deployment, unit, task, 1)
        unit._producer.flush()  # else these records may meet the fence before the commit does, which is not counted
        second = deployment.unit(refused.append)
        with pytest.raises(confluent_kafka.KafkaException):
            unit.commit([task], deployment.membership)
        assert refused == ["fatal"]
        self.work(deployment, second, task, 2)
        assert second.commit([task], deployment.membership).records == 1
        assert [message.value() for message in deployment.committed(TOUCHES)] == [b"2", b"2"]

    def test_a_new_owner_is_restored_behind_markers_and_without_what_was_aborted(self, deployment, unit):
        task = Counting()
        for number in (1, 2, 3):
            self.work(deployment, unit, task, number)
            assert unit.commit([task], deployment.membership) is not None
        store = deployment.restored()
        assert store.families == task.store.families
        assert task.store.position() == 5  # three records, and a marker behind each transaction but the last
        assert store.position() in {5, 6}  # the last marker may have been seen or not
