"""Where partitions end and what a group has committed, as the brokers answer: the two ends of the lag."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Protocol

import confluent_kafka
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from pipeline.stream.poller import TopicPartition

TIMEOUT_SECONDS = 10.0


class Offsets(Protocol):
    """What a worker must know of its partitions and its group; see :class:`Ends`."""

    async def of(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The high watermark of each."""
        ...

    def committed(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The group's offset in each, where it is known and stable."""
        ...


class Ends:
    """A client of its own. The consumer knows both too, but a call to it during a rebalance blocks for ever."""

    def __init__(self, config: Mapping[str, str | int]) -> None:
        self._admin = AdminClient(dict(config))

    async def of(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The high watermark of each, open transactions included. Omits partitions that did not answer in time."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        specs = {confluent_kafka.TopicPartition(*at): latest for at in partitions}
        futures = self._admin.list_offsets(specs, request_timeout=TIMEOUT_SECONDS) if specs else {}
        answers = await asyncio.gather(*map(asyncio.wrap_future, futures.values()), return_exceptions=True)
        return {
            TopicPartition(at.topic, at.partition): int(answer.offset)
            for at, answer in zip(futures, answers, strict=True)
            if not isinstance(answer, BaseException)
        }

    def committed(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The group's offset in each, 0 where it has not begun. Blocks until the brokers answer.

        Omits partitions that did not answer in time and those with an unstable offset: re-committing an offset that a
        pending transaction is about to advance would rewind the group.
        """
        places = [confluent_kafka.TopicPartition(*at) for at in partitions]
        request = [confluent_kafka.ConsumerGroupTopicPartitions(group, places)]
        futures = self._admin.list_consumer_group_offsets(request, require_stable=True, request_timeout=TIMEOUT_SECONDS)
        try:
            answer = futures[group].result().topic_partitions
        except confluent_kafka.KafkaException:
            return {}
        return {TopicPartition(at.topic, at.partition): max(0, at.offset) for at in answer if at.error is None}
