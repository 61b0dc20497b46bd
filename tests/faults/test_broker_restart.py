"""What is still seen of partitions, and what is logged, when a broker has been away."""

import asyncio
import json
from pathlib import Path

import pytest

from pipeline.kafka.admin import ensure_topics
from pipeline.kafka.ends import Ends
from pipeline.kafka.topic_partition import TopicPartition
from pipeline.local.kafka import LocalKafka
from pipeline.local.ports import LOOPBACK, free_ports
from pipeline.local.process import wait_until
from pipeline.settings import Settings
from pipeline.topics import EVENTS
from tests.support.fleet import Fleet
from tests.support.waiting import deadline_seconds

pytestmark = pytest.mark.kafka

SOON_S = 60.0
"""Far less than librdkafka's 5 minutes between two metadata refreshes."""


def test_ends_are_known_again_soon_after_a_broker_went_away_and_came_back(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    settings = Settings(bootstrap_servers=f"{LOOPBACK}:{port}", partitions=2)
    broker = LocalKafka(tmp_path, port=port)
    with broker:
        ensure_topics(settings, (EVENTS["web"],))
        tps = {TopicPartition(EVENTS["web"].of(settings.topic_prefix), number) for number in range(2)}

        async def until_known(ends: Ends) -> None:
            known: set[TopicPartition] = set()
            async with asyncio.timeout(deadline_seconds(SOON_S)):
                while known != tps:
                    known = (await ends.of(tps)).keys() & (await ends.stable(tps)).keys()
                    await asyncio.sleep(0.5)

        async def asked_again_and_again() -> None:
            ends = Ends(settings.kafka())
            await until_known(ends)
            await asyncio.to_thread(broker.stop)
            await asyncio.to_thread(broker.start)
            await until_known(ends)

        asyncio.run(asked_again_and_again())


def test_a_worker_logs_json_only_and_little_while_its_broker_is_away(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    broker = LocalKafka(tmp_path / "kafka", port=port)
    settings = Settings(bootstrap_servers=f"{LOOPBACK}:{port}", partitions=2, home=tmp_path)
    with broker, Fleet(settings) as fleet:
        fleet.start("a")
        fleet.until_ready("a")
        fleet.until(
            "waiting records are shown", lambda: "stitchline_oldest_waiting_seconds{" in fleet.page("a", "metrics")[1]
        )
        fleet.until(
            "stable offsets are shown",
            lambda: 'stable_offset_stuck_seconds{partition="1"' in fleet.page("a", "metrics")[1],
        )
        broker.stop()
        wait_until(
            lambda: "kafka_away" in fleet.said("a"),
            deadline_seconds(SOON_S),
            "the worker does not log that Kafka is away",
        )
        broker.start()
        fleet.until_ready("a")
        assert fleet.end("a") == 0
        entries = [json.loads(line) for line in fleet.said("a").splitlines()]
    assert sum(entry["logger"] == "librdkafka" for entry in entries) == 0
