"""Reads every offset that the group ever committed, from Kafka's own topic, and finds those that go back."""

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from pipeline.chaos.comparison import Comparison, comparison
from pipeline.chaos.topics_read import all_records
from pipeline.kafka.reading import partitions_of
from pipeline.settings import Settings

TOPIC: Final = "__consumer_offsets"
OFFSET_KEYS: Final = frozenset({0, 1})
"""Versions of the keys of committed offsets; others are of groups."""
_SHORT, _INT, _LONG = Struct(">h"), Struct(">i"), Struct(">q")


class Commit(NamedTuple):
    """One committed offset."""

    group: str
    topic: str
    partition: int
    offset: int


def check_offsets(settings: Settings) -> Comparison:
    """No committed offset of the group is below an earlier one of its partition."""
    commits = [
        commit
        for message in all_records(settings, TOPIC, partitions_of(settings.kafka(), TOPIC))
        if (commit := commit_of(message.key(), message.value())) and commit.group == settings.application_id
    ]
    return comparison("committed offsets, each after the one before", len(commits), _backwards(commits))


def commit_of(key: bytes | None, value: bytes | None) -> Commit | None:
    """Returns the offset that a record of Kafka's offsets topic commits; None for other records and deletions."""
    if key is None or value is None or _SHORT.unpack_from(key)[0] not in OFFSET_KEYS:
        return None
    group, at = _text(key, _SHORT.size)
    topic, at = _text(key, at)
    return Commit(group, topic, _INT.unpack_from(key, at)[0], _LONG.unpack_from(value, _SHORT.size)[0])


def _text(data: bytes, at: int) -> tuple[str, int]:
    length, begin = _SHORT.unpack_from(data, at)[0], at + _SHORT.size
    return data[begin : begin + length].decode(), begin + length


def _backwards(commits: list[Commit]) -> Iterator[str]:
    highest: dict[tuple[str, int], int] = {}
    for commit in commits:
        place = commit.topic, commit.partition
        if commit.offset < highest.get(place, 0):
            yield f"goes back: {commit.topic} partition {commit.partition}: {commit.offset} after {highest[place]}"
        highest[place] = max(commit.offset, highest.get(place, 0))
