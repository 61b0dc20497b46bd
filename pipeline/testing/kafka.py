"""Kafka in memory, deterministic: partitioned topics, one coordinator of transactions, consumer groups.

    kafka = MemoryKafka(partitions=3)
    unit = UnitOfWork({}, "worker-1", "cdp", producer=lambda config: MemoryProducer(kafka, config))

Nothing happens by itself: method calls mark transactions, expire them and rebalance groups. Exactly-once processing
relies on four rules of Kafka, which hold here too:

* A transaction is decided at one moment. Its markers reach the partitions and the group's offsets later, one by one.
* A read-committed consumer reads a partition up to its last stable offset. A marker takes an offset.
* A transactional id has an epoch. Initialising the id fences the former producer and settles its open transaction.
* Offsets in a transaction are checked against the group's generation, and hidden until the transaction is settled.
"""

from collections import defaultdict
from collections.abc import Iterable

from pipeline.kafka.partitioner import partitioner
from pipeline.kafka.record import Header
from pipeline.testing.group import MemoryGroup
from pipeline.testing.log import MemoryRecord
from pipeline.testing.transactions import MemoryPartition, Transaction


class MemoryKafka:
    """The brokers. A topic is created at its first use, with ``partitions`` partitions."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.partition_of = partitioner(partitions)
        self.groups: defaultdict[str, MemoryGroup] = defaultdict(MemoryGroup)
        self.unsettled: dict[str, Transaction] = {}
        """Transactional id → its transaction that is open, or decided and not yet marked everywhere."""
        self._topics: dict[str, list[MemoryPartition]] = {}
        self._epochs: dict[str, int] = {}

    # Topics

    def topic(self, name: str) -> list[MemoryPartition]:
        """Returns the partitions of a topic."""
        partitions = self._topics.get(name)
        if partitions is None:
            partitions = self._topics[name] = [MemoryPartition(name, number) for number in range(self.partitions)]
        return partitions

    def has_topic(self, name: str) -> bool:
        """Returns whether the topic was ever written to or read."""
        return name in self._topics

    def place(self, topic: str, key: bytes | None) -> MemoryPartition:
        """Returns the partition of a key, by the murmur2 partitioner; the first partition without a key."""
        number = self.partition_of(key.decode()) if key else 0
        return self.topic(topic)[number]

    def send(self, topic: str, key: bytes | str, value: bytes | None, headers: list[Header] | None = None) -> None:
        """Appends a record outside any transaction."""
        data = key.encode() if isinstance(key, str) else key
        self.place(topic, data).append(data, value, headers)

    def committed(self, topic: str) -> Iterable[MemoryRecord]:
        """Yields the committed records of a topic, partition by partition."""
        for partition in self._topics.get(topic, ()):
            yield from partition.all_committed()

    # Transactions

    def initialise(self, transactional_id: str) -> int:
        """Fences the former producer and settles its transaction. Returns the new epoch."""
        epoch = self._epochs[transactional_id] = self._epochs.get(transactional_id, -1) + 1
        self.settle(transactional_id)
        return epoch

    def is_current(self, transactional_id: str, epoch: int) -> bool:
        """Returns whether the epoch is current, so that its producer is not fenced."""
        return self._epochs.get(transactional_id) == epoch

    def begin(self, transactional_id: str, epoch: int) -> Transaction:
        """Returns a new transaction. Marks the previous one everywhere first, as a producer waits for its markers."""
        self.settle(transactional_id)
        transaction = self.unsettled[transactional_id] = Transaction(transactional_id, epoch)
        return transaction

    def decide(self, transaction: Transaction, *, commit: bool) -> None:
        """Decides the outcome. Partitions and groups have no markers yet."""
        transaction.decided, transaction.committed = True, commit

    def expire(self, transaction: Transaction) -> None:
        """Aborts a transaction that has timed out, and fences its producer."""
        self._epochs[transaction.transactional_id] += 1
        self.decide(transaction, commit=False)

    def settle(self, transactional_id: str) -> None:
        """Aborts the transaction if it is open, and marks it everywhere."""
        transaction = self.unsettled.pop(transactional_id, None)
        if transaction is not None:
            if not transaction.decided:
                self.decide(transaction, commit=False)
            transaction.mark_everywhere()
