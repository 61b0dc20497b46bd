"""Read a compacted topic to its end: the newest committed value of every key."""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, TypeAlias

from pipeline.kafka.reading import TIMEOUT_SECONDS, Progress, Reading, silent

Wanted: TypeAlias = Callable[[bytes], bool]
"""Whether a key is to be kept."""


class Snapshot(NamedTuple):
    """What a topic held while it was read: every key as it stood at the beginning of the read, or later."""

    rows: dict[bytes, bytes]
    undecided: tuple[int, ...]
    """Partitions whose last records belong to a transaction that stayed open longer than the reader's patience (a
    worker that was killed, until Kafka gives it up). What was committed before it is here."""


def read_compacted(
    config: Mapping[str, str | int],
    topic: str,
    partitions: Collection[int],
    *,
    wanted: Wanted = lambda _key: True,
    progress: Progress = silent,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Snapshot:
    """Read partitions of a topic from the beginning to where they end now, read-committed; tombstones delete.

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
