"""Compares the quarantine with the foreign records sent: each once, byte for byte, and nothing else."""

from collections import Counter
from collections.abc import Iterator

from pipeline.chaos.comparison import Comparison, comparison
from pipeline.chaos.foreign import Foreign
from pipeline.chaos.topics_read import all_records
from pipeline.kafka.dlq_headers import headers_as_facts
from pipeline.settings import Settings
from pipeline.topics import DLQ

_Record = tuple[str, bytes, bytes]


def check_quarantine(settings: Settings, foreign: Foreign) -> Comparison:
    """Foreign records of topics that stages read are quarantined; those on other topics are left alone."""
    quarantined: Counter[_Record] = Counter()
    for message in all_records(settings, DLQ.of(settings.topic_prefix), settings.partitions):
        facts = headers_as_facts(message.headers())  # type: ignore[arg-type]
        if "topic" in facts:  # else it is a foreign record on this topic
            quarantined[facts["topic"], message.key() or b"", message.value() or b""] += 1
    return comparison(
        "quarantine and foreign records",
        quarantined.total(),
        _differences(quarantined, Counter(foreign.to_be_quarantined)),
    )


def _differences(ours: Counter[_Record], expected: Counter[_Record]) -> Iterator[str]:
    yield from (f"lost: {topic}: {value!r}, {count} times" for (topic, _, value), count in (expected - ours).items())
    yield from (
        f"too many: {topic}: {value!r}, {count} times" for (topic, _, value), count in (ours - expected).items()
    )
