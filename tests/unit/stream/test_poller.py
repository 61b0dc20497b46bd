"""The poller on a group in memory: what is fetched when, and what is refused."""

import pytest

from pipeline.kafka.topic_partition import TopicPartition
from pipeline.stream.poller import Poller
from pipeline.stream.unit_of_work import UnitOfWork
from pipeline.testing.kafka import MemoryKafka
from pipeline.testing.member import MemoryMember
from pipeline.testing.producer import MemoryProducer

GROUP, TOPIC = "group", "events"
HERE = TopicPartition(TOPIC, 0)


class Owner:
    """Notes what it is called with; ``release`` runs while the group waits."""

    def __init__(self):
        self.calls, self.release = [], lambda: None

    def on_assign(self, partitions):
        self.calls.append(("assign", partitions))

    def on_revoke(self, partitions):
        self.calls.append(("revoke", partitions))
        self.release()

    def on_lost(self, partitions):
        self.calls.append(("lost", partitions))
        self.release()


class Deployment:
    """One partition with three records, one member."""

    def __init__(self):
        self.kafka = MemoryKafka(partitions=1)
        for number in range(3):
            self.kafka.send(TOPIC, "k", b"%d" % number)
        self.group = self.kafka.groups[GROUP]
        self.owner, self.waiting = Owner(), []
        self.client = MemoryMember(self.kafka, {"group.id": GROUP, "client.id": "m"})
        self.poller = Poller(self.client, self.owner, 2, self.waiting.append)
        self.poller.subscribe([TOPIC])

    def assign(self):
        self.group.complete(list(self.group.joining), 1)
        self.fetch()

    def resume(self):
        self.poller.resume({HERE})
        self.run_waiting()

    def run_waiting(self):
        while self.waiting:
            self.waiting.pop(0)()

    def fetch(self):
        return self.poller.batches(self.poller.fetch())

    def values(self, batches):
        return [record.value() for batch in batches if self.poller.take(batch) for record in batch]

    def commit(self, offset):
        unit = UnitOfWork(
            {}, "w", "cdp", producer=lambda config: MemoryProducer(self.kafka, config),
            within=lambda _seconds, call: call(),
        )  # fmt: skip
        unit.start()
        unit.consumed(TOPIC, 0, offset, 1)
        unit.commit([], lambda: self.poller.group)
        self.kafka.settle("w")


@pytest.fixture
def one():
    deployment = Deployment()
    deployment.assign()
    return deployment


def test_assigned_partitions_are_paused_until_they_are_resumed(one):
    assert one.owner.calls == [("assign", {HERE})]
    assert one.poller.held == {HERE}
    assert one.fetch() == []
    one.resume()
    assert one.values(one.fetch()) == [b"0", b"1"]
    assert one.poller.backlog == 1
    assert one.values(one.fetch()) == [b"2"]


def test_a_batch_is_refused_after_a_revocation_and_the_group_waits_for_the_release(one):
    one.resume()
    (batch,) = one.fetch()
    one.group.rebalance()
    one.owner.release = lambda: one.owner.calls.append((one.poller.take(batch), set(one.group.joining)))
    assert one.fetch() == []  # it was fetched before the revocation, within one call of the client
    assert one.owner.calls[1:] == [("revoke", {HERE}), (False, set())]
    assert one.group.joining
    assert one.poller.held == frozenset()


def test_a_member_that_the_group_went_on_without_loses_its_partitions_and_joins_under_another_name(one):
    one.resume()
    one.group.complete(["other"], 1)
    one.fetch()
    assert one.owner.calls[1:] == [("lost", {HERE})]
    assert list(one.group.joining) == ["m+1"]


def test_a_resume_that_comes_after_a_rebalance_does_nothing(one):
    one.poller.resume({HERE})
    one.group.rebalance()
    one.fetch()
    one.assign()
    one.run_waiting()
    assert one.fetch() == []


def test_a_resume_within_a_revocation_does_nothing(one):
    one.group.rebalance()
    one.owner.release = lambda: one.poller.resume({HERE})
    one.fetch()
    one.assign()
    one.run_waiting()
    assert one.fetch() == []


def test_a_rewind_fetches_again_what_is_not_committed(one):
    one.resume()
    (first,) = one.fetch()
    one.commit(1)
    one.poller.rewind()
    assert not one.poller.take(first)
    assert one.fetch() == []  # the seek comes first
    one.run_waiting()
    assert one.values(one.fetch()) == [b"1", b"2"]


def test_a_rewind_of_a_group_that_never_committed_goes_to_the_beginning(one):
    one.resume()
    one.fetch()
    one.poller.rewind()
    one.run_waiting()
    assert one.values(one.fetch()) == [b"0", b"1"]


def test_a_rewind_to_the_end_finds_the_end_again_though_the_first_report_of_it_was_refused(one):
    one.resume()
    one.fetch()
    one.commit(3)
    late = one.poller.fetch()  # the last record, and that there is no other
    one.poller.rewind()
    assert one.poller.batches(late) == []
    one.run_waiting()
    assert not one.poller.is_at_end(HERE, 0)
    assert one.fetch() == []
    assert one.poller.is_at_end(HERE, 0)


def test_a_rewind_that_comes_after_a_rebalance_does_nothing(one):
    one.poller.rewind()
    one.waiting, late = [], one.waiting
    one.poller._rebalances += 1
    late[0]()
    assert one.fetch() == []
    assert one.client._positions == {}


def test_a_position_moves_behind_markers_when_nothing_else_follows(one):
    one.resume()
    one.fetch()
    one.fetch()
    assert one.poller.behind_markers(HERE, 3) == 3
    writer = MemoryProducer(one.kafka, {"transactional.id": "w"})
    writer.init_transactions()
    writer.begin_transaction()
    writer.produce(TOPIC, b"3", "k", 0)
    writer.commit_transaction()
    one.kafka.settle("w")
    one.fetch()
    end = one.kafka.topic(TOPIC)[0].end
    assert (one.poller.behind_markers(HERE, 3), one.poller.behind_markers(HERE, 4)) == (3, end)
    one.poller.rewind()
    assert one.poller.behind_markers(HERE, 4) == 4


def test_a_member_that_closes_gives_its_partitions_back_and_fetches_nothing_more(one):
    one.resume()
    one.poller.close()
    one.poller.close()
    assert one.owner.calls[1:] == [("revoke", {HERE})]
    assert one.group.members == {}
    assert one.group.rebalancing
    assert one.fetch() == []


def test_a_paused_topic_is_not_fetched_until_it_is_resumed_after_a_rewind(one):
    one.resume()
    assert one.values(one.fetch()) == [b"0", b"1"]
    one.commit(1)
    one.poller.pause(TOPIC)
    one.run_waiting()
    assert one.values(one.fetch()) == []
    one.poller.rewind()
    one.resume()
    assert one.values(one.fetch()) == [b"1", b"2"]


def test_another_topic_than_the_paused_one_is_fetched(one):
    one.resume()
    one.poller.pause("another")
    one.run_waiting()
    assert one.values(one.fetch()) == [b"0", b"1"]
