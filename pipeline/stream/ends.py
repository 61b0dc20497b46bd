"""Where partitions end, asked of the brokers: what the lag is measured against."""

import asyncio
from collections.abc import Collection, Mapping

import confluent_kafka
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]
from faust.types import TP

TIMEOUT_SECONDS = 10.0


class Ends:
    """A client of its own. The consumer knows the ends too, but asking it during a rebalance blocks for ever."""

    def __init__(self, config: Mapping[str, str | int]) -> None:
        self._admin = AdminClient(dict(config))

    async def of(self, tps: Collection[TP]) -> dict[TP, int]:
        """The high watermark of each, open transactions included; those that no broker tells in time are left out."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = {confluent_kafka.TopicPartition(tp.topic, tp.partition): latest for tp in tps}
        told = self._admin.list_offsets(asked, request_timeout=TIMEOUT_SECONDS) if asked else {}
        answers = await asyncio.gather(*map(asyncio.wrap_future, told.values()), return_exceptions=True)
        return {
            TP(at.topic, at.partition): int(answer.offset)
            for at, answer in zip(told, answers, strict=True)
            if not isinstance(answer, BaseException)
        }
