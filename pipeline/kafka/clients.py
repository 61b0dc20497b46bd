"""Every Kafka client is built here, so that each kind has one configuration.

``config`` is the connection configuration that :meth:`pipeline.settings.Settings.kafka` returns. Clients that the
caller polls send librdkafka's own log lines to the logger ``librdkafka``. All other clients are quiet, because their
errors reach the caller as exceptions.
"""

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import confluent_kafka
from confluent_kafka.admin import AdminClient

Config: TypeAlias = Mapping[str, str | int]
KafkaConsumer: TypeAlias = confluent_kafka.Consumer
KafkaProducer: TypeAlias = confluent_kafka.Producer
KafkaAdmin: TypeAlias = AdminClient

MAX_RECORD_BYTES: Final = 32 << 20
"""Larger than every topic's limit, so that the topic's limit decides and the producer never refuses a consumed record.
"""
_QUIET: Final = {"log_level": 2}
"""librdkafka's syslog level: only critical lines."""
_LIBRDKAFKA: Final = logging.getLogger("librdkafka")
LOGGED: Final[Mapping[str, Any]] = MappingProxyType({"logger": _LIBRDKAFKA})
"""Option of a polled client. Sends the client's log lines to the logger ``librdkafka``."""

KEEPS_BROKERS: Final[Mapping[str, Any]] = MappingProxyType({
    "metadata.recovery.strategy": "none",
    "reconnect.backoff.max.ms": 1_000,
})  # fmt: skip
"""Options of producers. By default librdkafka forgets all brokers when it loses the last connection. A transaction that
waits for a forgotten coordinator never ends (librdkafka issue 5511)."""

ONE_REQUEST: Final[Mapping[str, Any]] = MappingProxyType({"max.in.flight.requests.per.connection": 1})
"""Option of producers whose delivery reports the caller does not check for offsets. With several requests under way, a
record may be reported as delivered and be lost: see :mod:`pipeline.stream.delivery_reports`."""


def admin(config: Config) -> AdminClient:
    """Returns a client for topics, offsets and groups. Keep the client alive until its futures are done."""
    return AdminClient({**config, **_QUIET})


def reader(config: Config, options: Mapping[str, Any] | None = None) -> confluent_kafka.Consumer:
    """Returns a read-committed consumer without a group: the caller assigns partitions and commits nothing.

    The consumer reports the end of a partition as ``_PARTITION_EOF``. Its offset lies behind any transaction markers.
    """
    return confluent_kafka.Consumer(
        {
            **config,
            **_QUIET,
            "group.id": "unused",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            **(options or {}),
        }
    )


def member(config: Config, group: str, options: Mapping[str, Any] | None = None) -> confluent_kafka.Consumer:
    """Returns a read-committed member of a consumer group whose offsets the caller commits."""
    return confluent_kafka.Consumer(
        {
            **config,
            **LOGGED,
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            **(options or {}),
        }
    )


def group_offsets(config: Config, group: str) -> confluent_kafka.Consumer:
    """Returns a client that reads a group's committed offsets and names the group in transactions. It never joins."""
    return confluent_kafka.Consumer({**config, **_QUIET, "group.id": group})


def idempotent_producer(config: Config, options: Mapping[str, Any] | None = None) -> confluent_kafka.Producer:
    """Returns a producer that writes each record once and in order, partitioned by murmur2 as Java clients do."""
    return confluent_kafka.Producer(
        {
            **config,
            **_QUIET,
            **KEEPS_BROKERS,
            **ONE_REQUEST,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            **(options or {}),
        }
    )


def transactional_producer(
    config: Config, transactional_id: str, options: Mapping[str, Any] | None = None
) -> confluent_kafka.Producer:
    """Returns a transactional producer. A second producer with the same ``transactional_id`` fences the first."""
    return confluent_kafka.Producer(
        {
            **config,
            **LOGGED,
            **KEEPS_BROKERS,
            **ONE_REQUEST,
            "transactional.id": transactional_id,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "message.max.bytes": MAX_RECORD_BYTES,
            **(options or {}),
        }
    )


def configured_producer(config: Mapping[str, Any]) -> confluent_kafka.Producer:
    """Returns a producer for a caller that states the whole configuration: a unit of work."""
    return confluent_kafka.Producer(dict(config))
