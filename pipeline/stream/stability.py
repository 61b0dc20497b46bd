"""Detects hanging transactions: sets the metric and provides the reason on ``/readyz``."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, Protocol

from pipeline.kafka.stable_offset import StuckOffsets
from pipeline.kafka.topic_partition import TopicPartition
from pipeline.obs import metrics as m
from pipeline.topics import CHANGELOGS

STUCK_SECONDS: Final = 90.0
"""Longer than a transaction stays open: librdkafka's default timeout of 60 s, the broker's check interval of 10 s."""


class Offsets(Protocol):
    """Reads end offsets. Omits partitions that do not answer."""

    async def of(self, tps: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Returns high watermarks."""
        ...

    async def stable(self, tps: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Returns last stable offsets."""
        ...


class StabilityWatch:
    """Compares the last stable offset with the high watermark of a worker's input and changelog partitions."""

    def __init__(
        self,
        offsets: Offsets,
        metrics: m.Metrics,
        prefix: str,
        stages: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``stages`` maps each topic's name on the broker to the stage that reads it. ``clock`` returns seconds."""
        self._offsets, self._metrics, self._clock = offsets, metrics, clock
        self._prefix, self._stages = prefix, stages
        self._stuck: StuckOffsets[TopicPartition] = StuckOffsets()
        self._seconds: dict[TopicPartition, float] = {}

    async def look(self, inputs: Iterable[TopicPartition]) -> None:
        """Updates metric and reasons for these input partitions and their changelogs."""
        stage_of = self._watched(inputs)
        # Stable offsets first: a high watermark that is read earlier may include a transaction that has ended since.
        stable = await self._offsets.stable(stage_of)
        seconds = self._stuck.observe(stable, await self._offsets.of(stage_of), now_seconds=self._clock())
        self._stuck.forget_all_but(stage_of)
        for tp in self._seconds.keys() - stage_of.keys():
            self._metrics.forget(m.STABLE_OFFSET_STUCK, *self._labels(tp))
        self._seconds = {tp: second for tp, second in self._seconds.items() if tp in stage_of} | seconds
        for tp, second in seconds.items():
            self._metrics.set(m.STABLE_OFFSET_STUCK, second, *self._labels(tp))

    def reasons(self) -> list[str]:
        """Returns one reason for each partition whose stable offset blocks its readers; empty if there is none."""
        return [
            f"{tp.topic} partition {tp.partition}: the last stable offset has not moved for {seconds:.0f} s, "
            "a transaction hangs; run: stitchline doctor"
            for tp, seconds in sorted(self._seconds.items())
            if seconds >= STUCK_SECONDS
        ]

    def _watched(self, inputs: Iterable[TopicPartition]) -> dict[TopicPartition, str]:
        watched: dict[TopicPartition, str] = {}
        for tp in inputs:
            stage = self._stages[tp.topic]
            watched[tp] = watched[TopicPartition(CHANGELOGS[stage].of(self._prefix), tp.partition)] = stage
        return watched

    def _labels(self, tp: TopicPartition) -> tuple[str, str, str]:
        topic = tp.topic[len(self._prefix) + 1 :]
        changelogs = {changelog.name: stage for stage, changelog in CHANGELOGS.items()}
        return self._stages.get(tp.topic) or changelogs[topic], topic, str(tp.partition)
