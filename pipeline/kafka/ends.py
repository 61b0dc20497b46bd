"""End offsets of partitions and committed offsets of a group, from the brokers. Their difference is the lag."""

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from typing import Protocol

import confluent_kafka
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from pipeline.kafka.clients import Config, KafkaConsumer, admin, group_offsets
from pipeline.kafka.follow import Place
from pipeline.kafka.topic_partition import TopicPartition

TIMEOUT_SECONDS = 10.0
GROUP_SECONDS = 2.0
"""Time limit of a request for the group's offsets in all partitions. One with an unstable offset delays it to its end.
"""
SINGLE_SECONDS = 0.2
"""Time limit of the requests that follow, one for each partition."""
REFRESH_SECONDS = 2.0
"""Time limit of the metadata refresh. It is short because an exiting process waits for it."""


class Offsets(Protocol):
    """What a worker must know of its partitions and its group; see :class:`Ends`."""

    async def of(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The high watermark of each."""
        ...

    async def stable(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The last stable offset of each."""
        ...

    def committed(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The group's offset in each, where it is known and stable."""
        ...


def stable_and_ends(
    config: Config, places: Collection[Place], timeout_seconds: float
) -> tuple[dict[Place, int], dict[Place, int]]:
    """Returns last stable offsets and high watermarks by topic and partition. Blocks.

    Stable offsets are read first. A transaction that ends in between makes a partition look open, but its stable offset
    differs at the next call.

    Raises:
        KafkaException: The brokers did not answer within ``timeout_seconds``, or returned an error.
    """
    # A new client each time: after a broker's restart an older one sends the leader epochs from before it.
    client = admin(config)

    def list_offsets(level: confluent_kafka.IsolationLevel) -> dict[Place, int]:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        requested = {confluent_kafka.TopicPartition(*place): latest for place in places}
        pending = client.list_offsets(requested, isolation_level=level, request_timeout=timeout_seconds)
        return {(at.topic, at.partition): int(answer.result().offset) for at, answer in pending.items()}

    levels = confluent_kafka.IsolationLevel
    return list_offsets(levels.READ_COMMITTED), list_offsets(levels.READ_UNCOMMITTED)


class Ends:
    """Reads offsets with its own admin client, because the consumer's offset requests block for ever in a rebalance."""

    def __init__(self, config: Mapping[str, str | int]) -> None:
        self._config = config
        self._admin = admin(config)

    async def of(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Returns high watermarks, open transactions included. Omits partitions that do not answer in time."""
        return await self._latest(partitions, confluent_kafka.IsolationLevel.READ_UNCOMMITTED)

    async def stable(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Returns last stable offsets, which lie before open transactions. Omits partitions that do not answer in time.

        The time limit is ``TIMEOUT_SECONDS``.
        """
        return await self._latest(partitions, confluent_kafka.IsolationLevel.READ_COMMITTED)

    async def _latest(
        self, partitions: Collection[TopicPartition], level: confluent_kafka.IsolationLevel
    ) -> dict[TopicPartition, int]:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        requested = {confluent_kafka.TopicPartition(*at): latest for at in partitions}
        if not requested:
            return {}
        futures = self._admin.list_offsets(requested, isolation_level=level, request_timeout=TIMEOUT_SECONDS)
        answers = await asyncio.gather(*map(asyncio.wrap_future, futures.values()), return_exceptions=True)
        offsets = {
            TopicPartition(at.topic, at.partition): int(answer.offset)
            for at, answer in zip(futures, answers, strict=True)
            if not isinstance(answer, BaseException)
        }
        if len(offsets) < len(futures):
            # After a broker's restart librdkafka sends the old leader epochs for up to five minutes, which the broker
            # refuses (FENCED_LEADER_EPOCH). Listing the topics makes it fetch the current ones.
            with contextlib.suppress(confluent_kafka.KafkaException):
                await asyncio.to_thread(self._admin.list_topics, timeout=REFRESH_SECONDS)
        return offsets

    def committed(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Returns the group's committed offset per partition; 0 if the group has committed none. Blocks.

        Omits partitions that did not answer in time, and those with an unstable offset:
        re-committing an offset that a pending transaction is about to advance would rewind the group.
        """
        # A consumer: librdkafka crashes if a broker goes away while an admin client waits for a group's offsets.
        client = group_offsets(self._config, group)
        try:
            return _committed(client, partitions, GROUP_SECONDS) or {
                at: offset for each in partitions for at, offset in _committed(client, [each], SINGLE_SECONDS).items()
            }
        finally:
            client.close()


def _committed(
    client: KafkaConsumer, partitions: Collection[TopicPartition], timeout_seconds: float
) -> dict[TopicPartition, int]:
    """Returns the offset of every partition, or nothing if one of them is unstable or does not answer in time."""
    places = [confluent_kafka.TopicPartition(*at) for at in partitions]
    try:
        answer = client.committed(places, timeout=timeout_seconds)
    except confluent_kafka.KafkaException:
        return {}
    return {TopicPartition(at.topic, at.partition): max(0, at.offset) for at in answer if at.error is None}
