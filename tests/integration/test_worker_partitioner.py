"""INTAKE's idea of where a key belongs is the producers': else every event would be sent round in circles."""

import random

import pytest

from pipeline.kafka.admin import ensure_topics
from pipeline.kafka.partitioner import partition_of
from pipeline.settings import Settings
from pipeline.topics import EVENTS
from tests.support.records import Sent, send

pytestmark = pytest.mark.kafka


def test_every_key_is_in_the_computed_partition(kafka, topic_prefix):
    settings = Settings(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix, partitions=7)
    ensure_topics(settings, (EVENTS["web"],))
    chance = random.Random(5)
    keys = ["".join(chance.choices("abc:/@.é漢😀\x00\x7f", k=length)) for length in range(1, 60) for _ in range(10)]
    placed = send(settings, EVENTS["web"], [Sent(key.encode(), b"x") for key in keys])
    assert len(placed) == len(keys)
    assert {partition for partition, _ in placed} == set(range(7))
    for (partition, _), record in placed.items():
        assert partition_of((record.key or b"").decode(), 7) == partition
