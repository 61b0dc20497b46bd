"""Rolls a partition's RocksDB forward to the end of its changelog before its stage processes records."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import confluent_kafka
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from pipeline.kafka.clients import Config, KafkaConsumer, admin, reader
from pipeline.obs.log import logger
from pipeline.state.partition import change_of, expanded
from pipeline.state.store import Change, PartitionStore

BATCH_RECORDS = 10_000
POLL_SECONDS = 0.2
METADATA_TIMEOUT_SECONDS = 30.0

log = logger(__name__)


class Interrupted(Exception):  # noqa: N818 - not an error: the partition went to another worker
    """The partition was revoked while it was being restored."""


def high_watermark(config: Mapping[str, str | int], topic: str, partition: int) -> int:
    """Returns the partition's current end offset, open transactions included.

    Raises:
        confluent_kafka.KafkaException: The broker did not answer or returned an error.
    """
    wanted = confluent_kafka.TopicPartition(topic, partition)
    client = admin(config)
    result = client.list_offsets(
        {wanted: OffsetSpec.latest()},  # type: ignore[no-untyped-call]
        isolation_level=confluent_kafka.IsolationLevel.READ_UNCOMMITTED,
        request_timeout=METADATA_TIMEOUT_SECONDS,
    )
    return int(result[wanted].result(METADATA_TIMEOUT_SECONDS).offset)


def changelog_reader(config: Config) -> KafkaConsumer:
    """Returns a client for one restore."""
    return reader(config, {"fetch.queue.backoff.ms": 10})  # a full queue drains in 10 ms; the default of 1 s is idle


def roll_forward(
    config: Config,
    topic: str,
    partition: int,
    store: PartitionStore,
    *,
    is_wanted: Callable[[], bool],
    consumer: Callable[[Config], Any] = changelog_reader,
    end_of: Callable[[Mapping[str, str | int], str, int], int] = high_watermark,
) -> Iterator[int]:
    """Applies every committed changelog record from the store's position on. Yields the number applied by each fetch.

    Takes up to the transaction timeout if the partition's former worker left a transaction open. ``consumer`` and
    ``end_of`` open the log; tests pass those of :mod:`pipeline.testing.consumer`.

    Raises:
        Interrupted: ``is_wanted`` returned False.
        confluent_kafka.KafkaException: The broker returned an error; the caller ends the process.
    """
    # The high watermark, not the last stable offset: a worker that died during its commit may have left a transaction
    # that is decided but has no markers yet. Its records lie behind the last stable offset and must be restored too.
    end = end_of(config, topic, partition)
    position = store.position()
    if position >= end:
        return
    changelog = consumer(config)
    try:
        changelog.assign([confluent_kafka.TopicPartition(topic, partition, position)])
        yield from _apply_until(changelog, store, end, is_wanted)
    finally:
        changelog.close()


def _apply_until(
    consumer: KafkaConsumer, store: PartitionStore, end: int, is_wanted: Callable[[], bool]
) -> Iterator[int]:
    reached, foreign = -1, 0
    while reached < end:
        if not is_wanted():
            raise Interrupted
        changes: list[Change] = []
        for message in consumer.consume(BATCH_RECORDS, POLL_SECONDS):
            error = message.error()
            if error is None:
                changes.append(change_of(message.key() or b"", message.value()))
                reached = (message.offset() or 0) + 1
            elif error.code() == confluent_kafka.KafkaError._PARTITION_EOF:
                reached = message.offset() or 0
            else:
                raise confluent_kafka.KafkaException(error)
        ours = [change for change in changes if store.holds(change.family)]
        foreign += len(changes) - len(ours)
        if changes:
            store.apply(expanded(ours, store), reached)
        yield len(ours)
    if foreign:  # of another producer: what a stage could not use must not stop it at every start
        log.warning(
            "changelog_records_ignored", records=foreign, action="find the producer that writes to state topics"
        )
