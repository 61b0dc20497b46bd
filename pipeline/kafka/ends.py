"""Where partitions end and where a group stands, asked of the brokers: what the lag is measured by."""

import asyncio
import contextlib
from collections.abc import Collection, Mapping

import confluent_kafka
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]
from faust.types import TP

from pipeline.kafka.clients import admin

TIMEOUT_SECONDS = 10.0
REFRESH_SECONDS = 2.0
"""Short: a process that ends waits for it."""


class Ends:
    """A client of its own. The consumer knows both too, but asking it during a rebalance blocks for ever."""

    def __init__(self, config: Mapping[str, str | int]) -> None:
        self._admin = admin(config)

    async def of(self, tps: Collection[TP]) -> dict[TP, int]:
        """Returns high watermarks, open transactions included. Omits partitions that do not answer in time."""
        return await self._latest(tps, confluent_kafka.IsolationLevel.READ_UNCOMMITTED)

    async def stable(self, tps: Collection[TP]) -> dict[TP, int]:
        """Returns last stable offsets, in front of open transactions. Omits partitions that do not answer in time."""
        return await self._latest(tps, confluent_kafka.IsolationLevel.READ_COMMITTED)

    async def _latest(self, tps: Collection[TP], level: confluent_kafka.IsolationLevel) -> dict[TP, int]:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        requested = {confluent_kafka.TopicPartition(tp.topic, tp.partition): latest for tp in tps}
        if not requested:
            return {}
        pending = self._admin.list_offsets(requested, isolation_level=level, request_timeout=TIMEOUT_SECONDS)
        answers = await asyncio.gather(*map(asyncio.wrap_future, pending.values()), return_exceptions=True)
        offsets = {
            TP(at.topic, at.partition): int(answer.offset)
            for at, answer in zip(pending, answers, strict=True)
            if not isinstance(answer, BaseException)
        }
        if len(offsets) < len(pending):
            # After a broker's restart librdkafka keeps asking with the leader epochs of before, which the broker
            # refuses (FENCED_LEADER_EPOCH), for up to five minutes. Listing the topics makes it learn the present ones.
            with contextlib.suppress(confluent_kafka.KafkaException):
                await asyncio.to_thread(self._admin.list_topics, timeout=REFRESH_SECONDS)
        return offsets

    async def committed(self, group: str, tps: Collection[TP]) -> dict[TP, int]:
        """The group's offset in each, 0 where it has not begun.

        Left out are those that no broker tells in time, and those that a transaction may still move: what came before
        it is not where the group is, and who commits that again sends the group back.
        """
        places = [confluent_kafka.TopicPartition(tp.topic, tp.partition) for tp in tps]
        requested = [confluent_kafka.ConsumerGroupTopicPartitions(group, places)]
        shown = self._admin.list_consumer_group_offsets(requested, require_stable=True, request_timeout=TIMEOUT_SECONDS)
        try:
            result = (await asyncio.wrap_future(shown[group])).topic_partitions
        except confluent_kafka.KafkaException:
            return {}
        return {TP(at.topic, at.partition): max(0, at.offset) for at in result if at.error is None}
