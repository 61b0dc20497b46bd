"""Kafka in memory keeps the contract of the unit of work; and its own functions."""

import confluent_kafka
import pytest

from pipeline.stream.unit_of_work import UnitOfWork
from pipeline.testing.consumer import MemoryConsumer
from pipeline.testing.group import Membership
from pipeline.testing.kafka import MemoryKafka
from pipeline.testing.producer import MemoryProducer
from tests.integration.transaction_contract import INPUT, Deployment, TransactionContract, rolled_forward

GROUP, MEMBER = "group", "member"


class InMemory(Deployment):
    prefix = "cdp"

    def __init__(self) -> None:
        self.kafka = MemoryKafka(partitions=1)
        self.kafka.send(f"{self.prefix}.{INPUT}", "k", b"v")
        self.group = self.kafka.groups[GROUP]
        self.group.join(MEMBER)
        self.group.complete([MEMBER], 1)

    def unit(self, refused):
        made = UnitOfWork(
            {}, "worker", self.prefix, refused=refused, within=lambda _seconds, call: call(),
            producer=lambda config: MemoryProducer(self.kafka, config),
        )  # fmt: skip
        made.start()
        return made

    def _wait_for_markers(self):
        for transaction in self.kafka.unsettled.values():
            if transaction.decided:
                transaction.mark_everywhere()

    def committed(self, topic):
        self._wait_for_markers()
        return list(self.kafka.committed(topic.of(self.prefix)))

    def position(self):
        self._wait_for_markers()
        return self.group.position((f"{self.prefix}.{INPUT}", 0))

    def membership(self):
        return Membership(GROUP, MEMBER, self.group.generation)

    def leave(self):
        self.group.complete([], 1)

    def restored(self):
        def between(partition, waits):
            if waits:
                for transaction in list(partition.unstable):
                    transaction.mark(partition)

        return rolled_forward(
            self, {}, consumer=lambda _config: MemoryConsumer(self.kafka, between),
            end_of=lambda _config, topic, partition: self.kafka.topic(topic)[partition].end,
        )  # fmt: skip


class TestInMemory(TransactionContract):
    @pytest.fixture
    def deployment(self):
        return InMemory()


@pytest.fixture
def kafka():
    return MemoryKafka(partitions=3)


def producer(kafka: MemoryKafka) -> MemoryProducer:
    memory_producer = MemoryProducer(kafka, {"transactional.id": "worker"})
    memory_producer.init_transactions()
    return memory_producer


def test_partitions_and_offsets_learn_of_a_commit_one_by_one(kafka):
    writer, group = producer(kafka), kafka.groups[GROUP]
    group.complete([MEMBER], 3)
    writer.begin_transaction()
    writer.produce("a", b"1", "k", 0)
    writer.produce("a", b"2", "k", 1)
    positions = [confluent_kafka.TopicPartition("in", 0, 7)]
    writer.send_offsets_to_transaction(positions, Membership(GROUP, MEMBER, group.generation))
    writer.commit_transaction()
    first, second, _ = kafka.topic("a")
    assert (first.end, first.stable_end, group.position(("in", 0))) == (1, 0, None)
    (transaction,) = kafka.unsettled.values()
    transaction.mark(first)
    assert ([item.value() for item in first.all_committed()], list(second.all_committed())) == ([b"1"], [])
    assert first.end == first.stable_end == 2  # the marker has an offset too
    transaction.mark(group)
    assert group.position(("in", 0)) == 7


def test_a_transaction_that_took_too_long_never_happened_and_its_holder_is_at_an_end(kafka):
    writer = producer(kafka)
    writer.begin_transaction()
    writer.produce("a", b"1", "k", 0)
    writer.flush()
    (transaction,) = kafka.unsettled.values()
    kafka.expire(transaction)
    with pytest.raises(confluent_kafka.KafkaException) as refusal:
        writer.commit_transaction()
    assert refusal.value.args[0].fatal()
    kafka.initialise("worker")
    assert list(kafka.committed("a")) == []


def test_the_first_members_get_one_partition_more(kafka):
    group = kafka.groups[GROUP]
    group.complete(["a", "b"], 5)
    assert group.members == {"a": range(3), "b": range(3, 5)}
    group.complete([], 5)
    assert (group.members, group.generation) == ({}, 2)


def test_nothing_is_produced_outside_a_transaction(kafka):
    with pytest.raises(confluent_kafka.KafkaException):
        producer(kafka).produce("a", b"1", "k", 0)
