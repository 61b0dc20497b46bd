"""Creates the topics a deployment needs, co-partitioned, and reports existing topics that do not fit."""

from collections.abc import Iterable

import confluent_kafka
from confluent_kafka.admin import ClusterMetadata, NewTopic  # type: ignore[attr-defined]

from pipeline.errors import OperatorError
from pipeline.kafka.clients import admin
from pipeline.kafka.reach import cluster
from pipeline.settings import Settings
from pipeline.topics import ACTION_DLQ, ALL, DLQ, Topic

REQUEST_SECONDS = 30.0
MAX_COMPACTION_LAG_MS = 7 * 24 * 3600 * 1000
"""Time after which Kafka compacts a record at the latest. Without a limit, a tombstone may wait for ever."""
COMPACT = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": str(MAX_COMPACTION_LAG_MS),
}
MAX_TOPIC_RECORD_BYTES = 16 << 20
"""Size limit of a record on every topic, independent of the broker's default. An oversized event must reach INTAKE to
be quarantined with a reason, and state rows and published profiles may be large."""
HEADROOM_BYTES = 1 << 20
"""Added to the limit of the DLQs. Quarantine adds headers: without the headroom, an event of the maximum size could not
be quarantined and would stop the worker for good."""


class TopicsError(OperatorError):
    """The topics on the broker do not have the same number of partitions.

    Operator action: copy the events into new topics with one number of partitions, with ``stitchline topics copy``.
    """


def ensure_topics(settings: Settings, topics: Iterable[Topic] = ALL) -> list[str]:
    """Creates the missing topics. Returns their names.

    Raises:
        NoBrokerError: no broker answers, or it refuses the log-in.
        TopicsError: the existing topics differ in their number of partitions. An anchor's events and its assignments
            would be on different workers.
        confluent_kafka.KafkaException: the broker refused.
    """
    client = admin(settings.kafka())
    existing = cluster(settings.kafka()).topics
    wanted = {topic.of(settings.topic_prefix): topic for topic in topics}
    counts_found = {name: len(existing[name].partitions) for name in wanted if name in existing}
    counts = set(counts_found.values()) or {settings.partitions}
    if len(counts) > 1:
        listing = ", ".join(f"{name} has {count}" for name, count in sorted(counts_found.items()))
        message = (
            f"all topics must have the same number of partitions, but {listing}; if one was extended, copy the events "
            'into new topics: stitchline topics copy, see "More partitions" in deploy/docs/operations.md'
        )
        raise TopicsError(message)
    (partitions,) = counts
    missing = [
        NewTopic(
            name,
            num_partitions=partitions,
            replication_factor=settings.replication_factor,
            config=_config(topic),
        )
        for name, topic in wanted.items()
        if name not in counts_found
    ]
    for name, created in client.create_topics(missing, request_timeout=REQUEST_SECONDS).items() if missing else ():
        try:
            created.result(REQUEST_SECONDS)
        except confluent_kafka.KafkaException as error:
            if error.args[0].code() != confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                raise
            counts_found[name] = partitions  # another process created it at the same time
    return [topic.topic for topic in missing]


def _config(topic: Topic) -> dict[str, str]:
    limit = MAX_TOPIC_RECORD_BYTES + (HEADROOM_BYTES if topic in {DLQ, ACTION_DLQ} else 0)
    return {"max.message.bytes": str(limit), **(COMPACT if topic.cleanup == "compact" else {})}


def changed_topic(settings: Settings, cluster: ClusterMetadata, partitions: int) -> tuple[str, int] | None:
    """Returns name and partitions of a topic of this deployment that has not ``partitions`` partitions; else None.

    Topics that are missing or whose metadata are incomplete, as after a broker's restart, are not compared.
    """
    for topic in ALL:
        name = topic.of(settings.topic_prefix)
        metadata = cluster.topics.get(name)
        if metadata is not None and metadata.error is None and len(metadata.partitions) not in {0, partitions}:
            return name, len(metadata.partitions)
    return None


def partition_count(settings: Settings) -> int:
    """Returns the number of partitions of the event topics, or the configured number if the topics do not exist."""
    topic = ALL[0].of(settings.topic_prefix)
    metadata = admin(settings.kafka()).list_topics(topic, timeout=REQUEST_SECONDS).topics[topic]
    return len(metadata.partitions) or settings.partitions
