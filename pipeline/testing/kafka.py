"""Kafka in memory, deterministic: partitioned topics, one coordinator of transactions, consumer groups.

    kafka = MemoryKafka(partitions=3)
    unit = UnitOfWork({}, "worker-1", "cdp", producer=lambda config: MemoryProducer(kafka, config))

Nothing happens by itself: transactions are marked and time out, and groups rebalance, when they are told to. What
exactly once rests on is kept as Kafka does it:

* A transaction is decided in one moment; each partition and the group's offsets learn of it later, one by one.
* Who reads what is committed sees a partition up to its last stable offset. A marker takes an offset.
* A transactional id has an epoch. Who initialises it fences the former holder and settles what that one left.
* Offsets in a transaction are checked against the group's generation, and hidden until they are settled.
"""

from collections import defaultdict
from collections.abc import Iterable

from pipeline.kafka.partitioner import partition_of
from pipeline.kafka.record import Header
from pipeline.testing.group import MemoryGroup
from pipeline.testing.log import MemoryRecord
from pipeline.testing.transactions import MemoryPartition, Transaction


class MemoryKafka:
    """Every topic has the same number of partitions and exists from its first use on."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.groups: defaultdict[str, MemoryGroup] = defaultdict(MemoryGroup)
        self.unsettled: dict[str, Transaction] = {}
        """By transactional id: open, or decided and not yet marked everywhere."""
        self._topics: dict[str, list[MemoryPartition]] = {}
        self._epochs: dict[str, int] = {}

    # Topics

    def topic(self, name: str) -> list[MemoryPartition]:
        """The partitions of a topic."""
        partitions = self._topics.get(name)
        if partitions is None:
            partitions = self._topics[name] = [MemoryPartition(name, number) for number in range(self.partitions)]
        return partitions

    def has_topic(self, name: str) -> bool:
        """Whether anything was ever written to it, or looked for in it."""
        return name in self._topics

    def place(self, topic: str, key: bytes | None) -> MemoryPartition:
        """Where the murmur2 partitioner puts a key; the first partition without one."""
        number = partition_of(key.decode(), self.partitions) if key else 0
        return self.topic(topic)[number]

    def send(self, topic: str, key: bytes | str, value: bytes | None, headers: list[Header] | None = None) -> None:
        """Write a record as a producer without transactions does."""
        data = key.encode() if isinstance(key, str) else key
        self.place(topic, data).append(data, value, headers)

    def committed(self, topic: str) -> Iterable[MemoryRecord]:
        """What a read-committed consumer sees of a topic, partition by partition."""
        for partition in self._topics.get(topic, ()):
            yield from partition.all_committed()

    # Transactions

    def initialise(self, transactional_id: str) -> int:
        """Fence the former holder, settle what it left, and return the new epoch."""
        epoch = self._epochs[transactional_id] = self._epochs.get(transactional_id, -1) + 1
        self.settle(transactional_id)
        return epoch

    def is_current(self, transactional_id: str, epoch: int) -> bool:
        """Whether nobody has fenced this holder."""
        return self._epochs.get(transactional_id) == epoch

    def begin(self, transactional_id: str, epoch: int) -> Transaction:
        """A new transaction, once the one before is marked everywhere, which the producer waits for."""
        self.settle(transactional_id)
        transaction = self.unsettled[transactional_id] = Transaction(transactional_id, epoch)
        return transaction

    def decide(self, transaction: Transaction, *, commit: bool) -> None:
        """The outcome stands. Partitions and groups do not know of it yet."""
        transaction.decided, transaction.committed = True, commit

    def expire(self, transaction: Transaction) -> None:
        """An open transaction has taken too long: abort it and fence its holder."""
        self._epochs[transaction.transactional_id] += 1
        self.decide(transaction, commit=False)

    def settle(self, transactional_id: str) -> None:
        """Abort what is open, and mark it everywhere."""
        transaction = self.unsettled.pop(transactional_id, None)
        if transaction is not None:
            if not transaction.decided:
                self.decide(transaction, commit=False)
            transaction.mark_everywhere()
