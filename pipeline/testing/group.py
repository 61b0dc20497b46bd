"""A consumer group in memory: generations, who owns which partitions, offsets that travel in transactions."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import confluent_kafka

from pipeline.testing.refusals import refusal
from pipeline.testing.transactions import Transaction

Place = tuple[str, int]
"""Topic on the broker and partition number."""


class Membership(NamedTuple):
    """What a consumer knows of itself: the twin of confluent-kafka's consumer group metadata."""

    group: str
    member: str
    generation: int


class MemoryGroup:
    """One group at its coordinator. Nothing happens by itself: a rebalance ends when :meth:`complete` is called.

    As on Kafka, offsets of the old generation are taken while a rebalance is under way, and refused afterwards.
    """

    def __init__(self) -> None:
        self.generation = 0
        self.members: dict[str, range] = {}
        """Members of this generation and the partition numbers each owns, the same of every topic."""
        self.joining: dict[str, None] = {}
        """Who waits for the next generation."""
        self.rebalancing = False
        self._offsets: dict[Place, int] = {}
        self._pending: dict[Transaction, dict[Place, int]] = {}

    def rebalance(self) -> None:
        """Ask every member to give up its partitions and to join again."""
        self.rebalancing = True

    def join(self, member: str) -> None:
        """Wait for the next generation."""
        self.joining[member] = None
        self.rebalancing = True

    def leave(self, member: str) -> None:
        """The member goes away in order: the next generation need not wait for its session to end."""
        self.joining.pop(member, None)
        if self.members.pop(member, None) is not None:
            self.rebalancing = True

    def complete(self, order: Sequence[str], partitions: int) -> None:
        """Begin the next generation with those who have joined, in this order; who has not is out.

        Partitions are given as the ``range`` assignor gives them: in runs, the first members get one more.
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
        """Whether it speaks of this generation."""
        return membership.generation == self.generation and membership.member in self.members

    def position(self, place: Place) -> int | None:
        """The committed offset, 0 without one; None while a transaction that would move it is undecided or unmarked."""
        if any(place in offsets for offsets in self._pending.values()):
            return None
        return self._offsets.get(place, 0)

    def take(self, offsets: Mapping[Place, int], membership: Membership, transaction: Transaction) -> None:
        """Keep offsets that count once the transaction does.

        Raises:
            confluent_kafka.KafkaException: the group has moved on; only an abort settles it.
        """
        if membership.member not in self.members:
            raise refusal(confluent_kafka.KafkaError.UNKNOWN_MEMBER_ID, requires_abort=True)
        if membership.generation != self.generation:
            raise refusal(confluent_kafka.KafkaError.ILLEGAL_GENERATION, requires_abort=True)
        transaction.unmarked.setdefault(self)
        self._pending.setdefault(transaction, {}).update(offsets)

    def mark(self, transaction: Transaction) -> None:
        """The outcome of a transaction that holds offsets of the group."""
        offsets = self._pending.pop(transaction)
        if transaction.committed:
            self._offsets.update(offsets)
