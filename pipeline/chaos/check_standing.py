"""Finds what stands: open transactions and records that nothing processes."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline.chaos.comparison import Comparison, comparison
from pipeline.chaos.pages import held_records
from pipeline.kafka.ends import stable_and_ends
from pipeline.kafka.follow import Place
from pipeline.kafka.retry import retrying
from pipeline.query.flow import FlowMeter
from pipeline.settings import Settings
from pipeline.topics import ALL

REQUEST_SECONDS = 30.0


class Left(NamedTuple):
    """What is left to process."""

    records: float
    """Infinite while it is not known."""
    texts: list[str]
    """Empty: everything is processed."""


def waiting(settings: Settings, meter: FlowMeter) -> Left:
    """Returns what is left on Kafka: stages with lag and open transactions."""
    lags = [(flow.stage, *lag) for flow in meter.sample(0.0) for lag in flow.lag_by_topic.items()]
    texts = [f"waiting: {records} records of {topic} for {stage}" for stage, topic, records in lags]
    return Left(sum(records for *_, records in lags), [*texts, *open_transactions(settings)])


def held(ports: Mapping[str, int]) -> Left:
    """Returns what workers hold behind watermarks, which is the end of a replay after lag 0. ``ports`` by worker id."""
    counts = {name: held_records(port) for name, port in ports.items()}
    texts = [f"held: worker {name} holds {records} records" for name, records in counts.items() if records != 0]
    return Left(sum(math.inf if records is None else records for records in counts.values()), texts)


def check_standing(settings: Settings, left: list[str]) -> Comparison:
    """``left`` is what was waiting at the end of the run; transactions are looked at again."""
    texts = dict.fromkeys([*left, *open_transactions(settings)])
    return comparison("nothing stands", len(ALL) * settings.partitions, texts)


def open_transactions(settings: Settings) -> list[str]:
    """Returns the partitions whose last stable offset is below their end."""
    names = [topic.of(settings.topic_prefix) for topic in ALL]
    places = [(name, number) for name in names for number in range(settings.partitions)]
    stable, ends = retrying(lambda: stable_and_ends(settings.kafka(), places, REQUEST_SECONDS))
    return list(_open(stable, ends))


def _open(stable: Mapping[Place, int], ends: Mapping[Place, int]) -> Iterator[str]:
    for (topic, partition), end in ends.items():
        if stable[topic, partition] < end:
            yield f"open transaction: {topic} partition {partition} from offset {stable[topic, partition]}"
