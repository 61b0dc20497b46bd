"""The unit of work on the real broker: all of it happens or nothing, and a worker that was replaced is told so."""

import contextlib

import confluent_kafka
import pytest

from pipeline.settings import Settings
from pipeline.state.partition import PartitionState, change_of
from pipeline.state.store import Change
from pipeline.state.view import msgpack_view
from pipeline.stream.admin import ensure_topics
from pipeline.stream.unit_of_work import Aborted, UnitOfWork
from pipeline.testing.store import MemoryStore
from pipeline.topics import CHANGELOGS, EVENTS, TOUCHES
from tests.support.records import Sent, committed, send

pytestmark = pytest.mark.kafka

STAGE, TABLE = "profile", "profiles"
JOIN_S = 30


class Counting:
    """A task whose one table is committed with the unit of work."""

    stage, partition = STAGE, 0

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.rows = msgpack_view(TABLE, self.store, int, 100)
        self.state = PartitionState(self.store, [self.rows])

    def before_commit(self) -> None:
        """Nothing is coalesced."""


@pytest.fixture
def settings(kafka, topic_prefix):
    made = Settings(
        bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=topic_prefix,
        application_id=topic_prefix,
        partitions=1,
    )
    ensure_topics(made, (EVENTS["web"], TOUCHES, CHANGELOGS[STAGE]))
    return made


@pytest.fixture
def refused():
    return []


@pytest.fixture
def unit(settings, refused):
    made = UnitOfWork(settings.kafka(), settings.application_id, settings.topic_prefix, refused=refused.append)
    made.start()
    return made


@pytest.fixture
def member(settings):
    """A consumer that has joined the group and read one event."""
    send(settings, EVENTS["web"], [Sent(b"k", b"v")])
    consumer = confluent_kafka.Consumer(
        {**settings.kafka(), "group.id": settings.application_id, "auto.offset.reset": "earliest",
         "enable.auto.commit": False}
    )  # fmt: skip
    consumer.subscribe([EVENTS["web"].of(settings.topic_prefix)])
    assert consumer.consume(1, JOIN_S)
    yield consumer
    with contextlib.suppress(RuntimeError):  # a test may have closed it
        consumer.close()


def position(settings: Settings, member: confluent_kafka.Consumer) -> int:
    (found,) = member.committed([confluent_kafka.TopicPartition(EVENTS["web"].of(settings.topic_prefix), 0)], JOIN_S)
    return found.offset


def work(settings: Settings, unit: UnitOfWork, task: Counting, number: int) -> None:
    unit.consumed(EVENTS["web"].of(settings.topic_prefix), 0, number, 1)
    unit.emit(TOUCHES, "ada", b"%d" % number)
    unit.emit(TOUCHES, "bob", b"%d" % number, [("h", b"1")])
    task.rows.put("ada", number)


def test_records_offsets_changelog_and_rows_are_committed_together(settings, unit, member):
    task = Counting()
    work(settings, unit, task, 1)
    assert committed(settings, TOUCHES) == []
    done = unit.commit([task], member.consumer_group_metadata)
    assert (done.records, done.produced, done.written) == (1, {TOUCHES.name: 2}, {TABLE: 1})
    assert [message.value() for message in committed(settings, TOUCHES)] == [b"1", b"1"]
    (record,) = committed(settings, CHANGELOGS[STAGE])
    assert change_of(record.key(), record.value()) == Change(TABLE, b"ada", b"\x01")
    assert task.store.get(TABLE, b"ada") == b"\x01"
    assert task.store.position() == record.offset() + 1
    assert position(settings, member) == 1
    assert unit.commit([task], member.consumer_group_metadata) is None


def test_nothing_of_an_aborted_unit_happened_and_the_next_one_is_its_own(settings, unit, member):
    task = Counting()
    work(settings, unit, task, 1)
    unit.abort()
    task.state.forget()
    assert unit.records == 0
    task.rows.put("bob", 7)
    unit.consumed(EVENTS["web"].of(settings.topic_prefix), 0, 1, 1)
    done = unit.commit([task], member.consumer_group_metadata)
    assert (done.produced, done.written) == ({}, {TABLE: 1})
    assert committed(settings, TOUCHES) == []
    assert [message.key() for message in committed(settings, CHANGELOGS[STAGE])] == [b"profiles/bob"]


def test_a_member_that_left_its_group_cannot_commit(settings, unit, member, refused):
    task = Counting()
    left = member.consumer_group_metadata()
    work(settings, unit, task, 1)
    member.close()
    with pytest.raises(Aborted, match="transaction aborted"):
        unit.commit([task], lambda: left)
    assert refused == ["fenced"]
    assert committed(settings, TOUCHES) == []
    assert task.store.get(TABLE, b"ada") is None


def test_a_second_holder_of_the_transactional_id_ends_the_first(settings, unit, member, refused):
    task = Counting()
    work(settings, unit, task, 1)
    second = UnitOfWork(settings.kafka(), settings.application_id, settings.topic_prefix)
    second.start()
    with pytest.raises(confluent_kafka.KafkaException):
        unit.commit([task], member.consumer_group_metadata)
    assert refused == ["fatal"]
    work(settings, second, task, 2)
    assert second.commit([task], member.consumer_group_metadata).records == 1
    assert [message.value() for message in committed(settings, TOUCHES)] == [b"2", b"2"]
