"""A read-committed group member in memory: the twin of ``confluent_kafka.Consumer`` for a poller."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import confluent_kafka

from pipeline.testing.consumer import EndOfPartition
from pipeline.testing.group import Membership, Place
from pipeline.testing.kafka import MemoryKafka
from pipeline.testing.log import MemoryRecord
from pipeline.testing.refusals import refusal
from pipeline.testing.transactions import MemoryPartition

Message: TypeAlias = MemoryRecord | EndOfPartition
Choice: TypeAlias = Callable[[Sequence[MemoryPartition]], Iterable[MemoryPartition]]
"""Returns the partitions that a fetch reads, in order."""
_Error = confluent_kafka.KafkaError


def _undisturbed(_step: str) -> None:
    """Does nothing at a step."""


def _all(partitions: Sequence[MemoryPartition]) -> Iterable[MemoryPartition]:
    return partitions


class MemoryMember:
    """Calls the rebalance callbacks within :meth:`consume`, after the fetch.

    So :meth:`consume` may return records of partitions that the same call has revoked, as librdkafka sometimes does.

    Calls ``at`` with ``revoke`` and ``revoked`` before and after a revocation, and with ``assigned`` after an
    assignment. :meth:`consume` passes on its exceptions, which simulate the death of the process.
    """

    def __init__(
        self,
        kafka: MemoryKafka,
        config: Mapping[str, Any],
        at: Callable[[str], None] = _undisturbed,
        choose: Choice = _all,
    ) -> None:
        self._kafka, self._at, self._choose = kafka, at, choose
        self._name = str(config["group.id"])
        self._group = kafka.groups[self._name]
        self._first_id = self.member = str(config["client.id"])
        """The member id, which changes after each loss of membership."""
        self._losses = 0
        self._membership = Membership(self._name, self.member, -1)
        self._is_assigned = self._is_closed = False
        self._assigned: dict[Place, MemoryPartition] = {}
        self._paused: set[Place] = set()
        self._flowing: list[MemoryPartition] = []
        self._positions: dict[Place, int] = {}
        self._ended_at: dict[Place, int] = {}
        """Positions for which the end of the partition was reported."""

    # Membership

    def subscribe(self, topics: list[str], *, on_assign: Any, on_revoke: Any, on_lost: Any) -> None:
        self._topics, self._on_assign, self._on_revoke, self._on_lost = topics, on_assign, on_revoke, on_lost
        self._group.join(self.member)

    def has_news(self) -> bool:
        """Returns whether the next :meth:`consume` calls a rebalance callback or rejoins."""
        group = self._group
        if self._is_assigned:
            return group.rebalancing or not group.has(self._membership)
        return self.member not in group.joining

    def consumer_group_metadata(self) -> Membership:
        return self._membership

    def close(self) -> None:
        if self._is_closed:
            message = "consumer is closed"
            raise RuntimeError(message)
        if self._is_assigned:
            if self._group.has(self._membership):
                self._revoke()
            else:
                self._lose()
        self._is_closed = True
        self._group.leave(self.member)

    def _rebalance(self) -> None:
        group = self._group
        if self._is_assigned:
            if group.has(self._membership):
                self._revoke()
                group.join(self.member)
                return
            self._lose()
        elif self.member in group.members:
            self._membership = Membership(self._name, self.member, group.generation)
            self._is_assigned = True
            numbers = group.members[self.member]
            partitions = [confluent_kafka.TopicPartition(topic, number) for topic in self._topics for number in numbers]
            self._on_assign(self, partitions)
            self._at("assigned")
            return
        self._losses += 1
        self.member = f"{self._first_id}+{self._losses}"
        group.join(self.member)

    def _revoke(self) -> None:
        self._at("revoke")
        self._on_revoke(self, self._partitions())
        self._at("revoked")
        self._is_assigned = False

    def _lose(self) -> None:
        self._on_lost(self, self._partitions())
        self._is_assigned = False

    def _partitions(self) -> list[confluent_kafka.TopicPartition]:
        return [confluent_kafka.TopicPartition(*place) for place in self._assigned]

    # Partitions

    def assign(self, partitions: Iterable[confluent_kafka.TopicPartition]) -> None:
        self.unassign()
        self._assigned = {(at.topic, at.partition): self._kafka.topic(at.topic)[at.partition] for at in partitions}
        self._flow()

    def unassign(self) -> None:
        self._assigned, self._paused, self._positions, self._ended_at, self._flowing = {}, set(), {}, {}, []

    def pause(self, partitions: Iterable[confluent_kafka.TopicPartition]) -> None:
        self._paused.update((at.topic, at.partition) for at in partitions)
        self._flow()

    def resume(self, partitions: Iterable[confluent_kafka.TopicPartition]) -> None:
        for at in partitions:
            self._check_assigned(at)
            self._paused.discard((at.topic, at.partition))
        self._flow()

    def committed(
        self,
        partitions: Iterable[confluent_kafka.TopicPartition],
        timeout: float = -1,  # noqa: ARG002 - the port's signature
    ) -> list[confluent_kafka.TopicPartition]:
        """Returns the group's offsets. Raises instead of waiting if one is not stable."""
        result = []
        for at in partitions:
            position = self._group.position((at.topic, at.partition))
            if position is None:
                raise refusal(_Error._TIMED_OUT, retriable=True)
            offset = position or confluent_kafka.OFFSET_INVALID
            result.append(confluent_kafka.TopicPartition(at.topic, at.partition, offset))
        return result

    def seek(self, position: confluent_kafka.TopicPartition) -> None:
        self._check_assigned(position)
        place = position.topic, position.partition
        self._positions[place] = max(0, position.offset)
        self._ended_at.pop(place, None)  # as librdkafka, which reports the end again after a seek to it

    def get_watermark_offsets(
        self,
        at: confluent_kafka.TopicPartition,
        *,
        cached: bool,  # noqa: ARG002 - the port's signature
    ) -> tuple[int, int]:
        """Returns the first offset and the end of a partition."""
        return 0, self._kafka.topic(at.topic)[at.partition].end

    def _check_assigned(self, at: confluent_kafka.TopicPartition) -> None:
        if (at.topic, at.partition) not in self._assigned:
            raise refusal(_Error._STATE)

    def _flow(self) -> None:
        self._flowing = [partition for place, partition in self._assigned.items() if place not in self._paused]

    # Records

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:  # noqa: ARG002
        if self._is_closed:
            message = "consumer is closed"
            raise RuntimeError(message)
        messages = self._fetch(num_messages) if self._flowing else []
        if self.has_news():
            self._rebalance()
        return messages

    def _fetch(self, limit: int) -> list[Message]:
        messages: list[Message] = []
        for partition in self._choose(self._flowing):
            if len(messages) >= limit:
                break
            place = partition.topic, partition.number
            position = self._positions.get(place)
            if position is None:
                position = self._group.position(place)
                if position is None:
                    continue
            if position != self._ended_at.get(place) or position < partition.stable_end:
                self._read(messages, partition, position, limit - len(messages))
        return messages

    def _read(self, messages: list[Message], partition: MemoryPartition, position: int, limit: int) -> None:
        place = partition.topic, partition.number
        records, behind = partition.committed(position, limit)
        self._positions[place] = behind
        messages += records
        if behind == partition.stable_end:
            self._ended_at[place] = behind
            messages.append(EndOfPartition(partition, behind))
