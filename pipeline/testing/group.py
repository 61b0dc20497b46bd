"""A consumer group in memory: generations, partition ownership, and offsets committed in transactions."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import confluent_kafka

from pipeline.testing.refusals import refusal
from pipeline.testing.transactions import Transaction

Place = tuple[str, int]
"""Topic on the broker and partition number."""


class Membership(NamedTuple):
    """Group, member id and generation: the twin of confluent-kafka's consumer group metadata."""

    group: str
    member: str
    generation: int


class MemoryGroup:
    """One group at its coordinator. A rebalance ends only when :meth:`complete` is called.

    As in Kafka, offsets of the old generation are accepted during a rebalance and refused after it.
    """

    def __init__(self) -> None:
        self.generation = 0
        self.members: dict[str, range] = {}
        """Members of this generation → the partition numbers each owns in every topic."""
        self.joining: dict[str, None] = {}
        """Members that wait for the next generation."""
        self.rebalancing = False
        self._offsets: dict[Place, int] = {}
        self._pending: dict[Transaction, dict[Place, int]] = {}

    def rebalance(self) -> None:
        """Starts a rebalance: every member must give up its partitions and rejoin."""
        self.rebalancing = True

    def join(self, member: str) -> None:
        """Adds a member to the next generation. Starts a rebalance."""
        self.joining[member] = None
        self.rebalancing = True

    def leave(self, member: str) -> None:
        """Removes a member at once, without waiting for its session timeout."""
        self.joining.pop(member, None)
        if self.members.pop(member, None) is not None:
            self.rebalancing = True

    def complete(self, order: Sequence[str], partitions: int) -> None:
        """Begins the next generation with the members of ``order``. Other members lose their membership.

        Assigns partitions as the ``range`` assignor does: in runs, of which the first may be longer by one.
        """
        self.generation += 1
        self.members, self.joining, self.rebalancing = {}, {}, False
        share, more = divmod(partitions, len(order) or 1)
        start = 0
        for at, member in enumerate(order):
            end = start + share + (at < more)
            self.members[member] = range(start, end)
            start = end

    def has(self, membership: Membership) -> bool:
        """Returns whether the membership belongs to the current generation."""
        return membership.generation == self.generation and membership.member in self.members

    def position(self, place: Place) -> int | None:
        """Returns the committed offset, by default 0, or None while a transaction that may advance it is unsettled."""
        if any(place in offsets for offsets in self._pending.values()):
            return None
        return self._offsets.get(place, 0)

    def take(self, offsets: Mapping[Place, int], membership: Membership, transaction: Transaction) -> None:
        """Adds offsets to the transaction.

        Raises:
            confluent_kafka.KafkaException: The membership is outdated; the transaction must be aborted.
        """
        if membership.member not in self.members:
            raise refusal(confluent_kafka.KafkaError.UNKNOWN_MEMBER_ID, requires_abort=True)
        if membership.generation != self.generation:
            raise refusal(confluent_kafka.KafkaError.ILLEGAL_GENERATION, requires_abort=True)
        transaction.unmarked.setdefault(self)
        self._pending.setdefault(transaction, {}).update(offsets)

    def mark(self, transaction: Transaction) -> None:
        """Applies or drops the offsets of a decided transaction."""
        offsets = self._pending.pop(transaction)
        if transaction.committed:
            self._offsets.update(offsets)
