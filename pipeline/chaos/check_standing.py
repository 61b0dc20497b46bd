"""Finds what stands: open transactions and records that nothing processes."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pipeline.chaos.comparison import Comparison, comparison
from pipeline.chaos.pages import held_records
from pipeline.kafka.ends import stable_and_ends
from pipeline.kafka.follow import Place
from pipeline.kafka.retry import retrying
from pipeline.query.flow import FlowMeter
from pipeline.settings import Settings
from pipeline.stream.ownership import StagePartition
from pipeline.topics import ALL, StageName

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


def held(ports: Iterable[int], partitions: int) -> Left:
    """Returns what workers hold behind watermarks, which is the end of a replay after lag 0.

    Infinite until every partition of every stage is restored by a worker that answers on one of the ports.
    """
    counts: Counter[StagePartition] = Counter()
    for port in ports:
        counts.update(held_records(port))
    places = [StagePartition(stage, partition) for stage in StageName for partition in range(partitions)]
    found = [(f"{at.stage} {at.partition}", counts.get(at, math.inf)) for at in places]
    texts = [f"held: {count} records of {place}" for place, count in found if count]
    return Left(sum(count for _, count in found), texts)


def check_standing(settings: Settings, left: list[str]) -> Comparison:
    """``left`` is what was waiting at the end of the run; transactions are looked at again."""
    texts = dict.fromkeys([*left, *open_transactions(settings)])
    return comparison("nothing stands", len(ALL) * settings.partitions, texts)


def open_transactions(settings: Settings) -> list[str]:
    """Returns the partitions whose last stable offset is below their end."""
    return list(_open(*_stable_and_ends(settings)))


def written(settings: Settings) -> dict[Place, int]:
    """Returns the end of each partition.

    Nothing is left if there is neither lag nor a held record, and nothing was written from before both until after:
    a record that moved between the two looks would have been.
    """
    return _stable_and_ends(settings)[1]


def _stable_and_ends(settings: Settings) -> tuple[dict[Place, int], dict[Place, int]]:
    names = [topic.of(settings.topic_prefix) for topic in ALL]
    places = [(name, number) for name in names for number in range(settings.partitions)]
    return retrying(lambda: stable_and_ends(settings.kafka(), places, REQUEST_SECONDS))


def _open(stable: Mapping[Place, int], ends: Mapping[Place, int]) -> Iterator[str]:
    for (topic, partition), end in ends.items():
        if stable[topic, partition] < end:
            yield f"open transaction: {topic} partition {partition} from offset {stable[topic, partition]}"
