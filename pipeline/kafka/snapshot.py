"""Reads a compacted topic to its end: the newest committed value of every key."""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, TypeAlias

from pipeline.kafka.reading import TIMEOUT_SECONDS, Progress, Reading, silent

Wanted: TypeAlias = Callable[[bytes], bool]
"""Returns whether to keep a key."""


class Snapshot(NamedTuple):
    """The content of a topic. Each key has its value at the start of the read or a later one."""

    rows: dict[bytes, bytes]
    undecided: tuple[int, ...]
    """Partitions that end in a transaction which stayed open longer than the reader's timeout, such as that of a killed
    worker until Kafka aborts it. ``rows`` holds what was committed before that transaction."""


def read_compacted(
    config: Mapping[str, str | int],
    topic: str,
    partitions: Collection[int],
    *,
    wanted: Wanted = lambda _key: True,
    progress: Progress = silent,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Snapshot:
    """Reads partitions of a topic from the beginning to their current end, read-committed. Tombstones delete keys.

    Raises:
        KafkaException: the broker refused.
    """
    reading = Reading(config, topic, partitions, progress=progress, timeout_seconds=timeout_seconds)
    rows: dict[bytes, bytes] = {}
    for batch in reading.batches():
        for message in batch:
            key, value = message.key(), message.value()
            if not isinstance(key, bytes) or not wanted(key):
                continue
            if isinstance(value, bytes):
                rows[key] = value
            else:
                rows.pop(key, None)
    return Snapshot(rows, tuple(reading.open()))
