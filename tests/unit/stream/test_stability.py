"""A worker's watch over hanging transactions, with offsets that are given."""

import asyncio
from collections.abc import Collection

from pipeline.kafka.topic_partition import TopicPartition
from pipeline.obs import metrics as m
from pipeline.stream.stability import STUCK_SECONDS, StabilityWatch

WEB, CHANGELOG = TopicPartition("x.events.web.v1", 3), TopicPartition("x.state.intake.v1", 3)


class Given:
    def __init__(self) -> None:
        self.ends, self.stables = {WEB: 10, CHANGELOG: 10}, {WEB: 10, CHANGELOG: 10}

    async def of(self, tps: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self.ends[tp] for tp in tps}

    async def stable(self, tps: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self.stables[tp] for tp in tps}


class World:
    def __init__(self) -> None:
        self.given, self.metrics, self.now = Given(), m.Metrics(), 0.0
        self.watch = StabilityWatch(self.given, self.metrics, "x", {WEB.topic: "intake"}, lambda: self.now)

    def look(self, now: float, *tps: TopicPartition) -> list[str]:
        self.now = now
        asyncio.run(self.watch.look(tps))
        return self.watch.reasons()

    def seconds(self, tp: TopicPartition) -> float:
        return self.metrics.value(m.STABLE_OFFSET_STUCK, "intake", tp.topic.partition(".")[2], str(tp.partition))


def test_an_input_whose_stable_offset_stands_is_a_reason_once_it_stands_longer_than_a_transaction_may() -> None:
    world = World()
    world.given.stables[WEB] = 7
    assert world.look(0, WEB) == []
    assert world.look(STUCK_SECONDS - 1, WEB) == []
    (reason,) = world.look(STUCK_SECONDS, WEB)
    assert "x.events.web.v1 partition 3" in reason
    assert "stitchline doctor" in reason
    assert world.seconds(WEB) == STUCK_SECONDS
    world.given.stables[WEB] = 10
    assert world.look(STUCK_SECONDS + 2, WEB) == []
    assert world.seconds(WEB) == 0


def test_the_changelog_of_an_input_is_watched_too() -> None:
    world = World()
    world.given.stables[CHANGELOG] = 7
    world.look(0, WEB)
    (reason,) = world.look(200, WEB)
    assert "x.state.intake.v1 partition 3" in reason


def test_a_partition_that_went_elsewhere_takes_reason_and_series_along() -> None:
    world = World()
    world.given.stables[WEB] = 7
    world.look(0, WEB)
    assert world.look(200, WEB)
    assert world.look(201) == []
    assert "partition=" not in world.metrics.expose()[0].decode()
