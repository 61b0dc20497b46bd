"""Create the topics a deployment needs, co-partitioned, and say what is wrong where they exist otherwise."""

from collections.abc import Iterable

import confluent_kafka
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from pipeline.errors import OperatorError
from pipeline.kafka.clients import admin
from pipeline.kafka.reach import cluster
from pipeline.settings import Settings
from pipeline.topics import ALL, DLQ, Topic

REQUEST_SECONDS = 30.0
COMPACT = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1"}
MAX_TOPIC_RECORD_BYTES = 16 << 20
"""Of a record, whatever the broker's own limit: what is too large for INTAKE must reach it to be quarantined with the
reason, and rows of state and published profiles may be large."""
HEADROOM_BYTES = 1 << 20
"""Quarantine adds headers: without room for them, the largest record of all would stop the worker for good."""


class TopicsError(OperatorError):
    """The topics on the broker do not fit together.

    Operator action: all of Stitchline's topics need the same number of partitions; create the named ones again, or set
    STITCHLINE_PARTITIONS to what they have.
    """


def ensure_topics(settings: Settings, topics: Iterable[Topic] = ALL) -> list[str]:
    """Create what is missing; return the names created.

    Raises:
        NoBrokerError: no broker answers, or it refuses the log-in.
        TopicsError: an existing topic has another number of partitions than the rest, which would put an anchor's
            events and its assignments on different workers.
        confluent_kafka.KafkaException: the broker refused.
    """
    client = admin(settings.kafka())
    existing = cluster(settings.kafka()).topics
    wanted = {topic.of(settings.topic_prefix): topic for topic in topics}
    counts_found = {name: len(existing[name].partitions) for name in wanted if name in existing}
    counts = set(counts_found.values()) or {settings.partitions}
    if len(counts) > 1:
        listing = ", ".join(f"{name} has {count}" for name, count in sorted(counts_found.items()))
        message = f"topics must have one number of partitions, but {listing}"
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
            counts_found[name] = partitions
    return [topic.topic for topic in missing]


def _config(topic: Topic) -> dict[str, str]:
    limit = MAX_TOPIC_RECORD_BYTES + (HEADROOM_BYTES if topic == DLQ else 0)
    return {"max.message.bytes": str(limit), **(COMPACT if topic.cleanup == "compact" else {})}


def partition_count(settings: Settings) -> int:
    """Partitions of the event topics on the broker, or of those that would be created."""
    topic = ALL[0].of(settings.topic_prefix)
    metadata = admin(settings.kafka()).list_topics(topic, timeout=REQUEST_SECONDS).topics[topic]
    return len(metadata.partitions) or settings.partitions
