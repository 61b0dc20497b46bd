"""Finds what stands: open transactions and records that nothing processes."""

from collections.abc import Iterator, Mapping

from pipeline.chaos.comparison import Comparison, comparison
from pipeline.kafka.ends import stable_and_ends
from pipeline.kafka.follow import Place
from pipeline.kafka.retry import retrying
from pipeline.query.flow import FlowMeter
from pipeline.settings import Settings
from pipeline.topics import ALL

REQUEST_SECONDS = 30.0


def waiting(settings: Settings, meter: FlowMeter) -> list[str]:
    """Returns what is left to process: open transactions and stages with lag. Empty: everything is processed."""
    flows = meter.sample(0.0)
    lag = [
        f"waiting: {records} records of {topic} for {flow.stage}"
        for flow in flows for topic, records in flow.lag_by_topic.items()
    ]  # fmt: skip
    return [*lag, *open_transactions(settings)]


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
