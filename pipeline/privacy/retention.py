"""How long Kafka keeps a record of a topic: read from the topic's configuration on the brokers."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]  # public, not re-exported

from pipeline.kafka.clients import admin
from pipeline.settings import Settings

REQUEST_SECONDS: Final = 30.0
CHECK_MS: Final = 10 * 60_000
"""Kafka looks for expired segments every 5 minutes and deletes their files a minute later, by default."""
FOREVER: Final = 1 << 62
"""At or above this, Kafka's configuration states no limit."""


class Retention(NamedTuple):
    """The part of a topic's configuration that decides when a record is gone. Times in ms; ``FOREVER`` for no limit."""

    is_compacted: bool
    retention_ms: int
    segment_ms: int
    max_compaction_lag_ms: int
    delete_retention_ms: int

    def cleared_ms(self, written_ms: int) -> int | None:
        """Returns the time until which the brokers may hold a record written at ``written_ms``; None if not limited.

        A segment is deleted once its newest record has expired. On a compacted topic, the record must have been
        replaced or deleted by a later one.
        """
        wait_ms = (
            2 * min(self.max_compaction_lag_ms, FOREVER) + self.delete_retention_ms
            if self.is_compacted
            else self.segment_ms + self.retention_ms
        )
        return None if wait_ms >= FOREVER else written_ms + wait_ms + CHECK_MS


def retentions(settings: Settings, topics: Collection[str]) -> dict[str, Retention]:
    """Returns the retention of topics by full name.

    Raises:
        confluent_kafka.KafkaException: the broker did not answer or refused.
    """
    resources = [ConfigResource(ConfigResource.Type.TOPIC, topic) for topic in topics]
    client = admin(settings.kafka())  # keeps the client alive until its futures are done
    answers = client.describe_configs(resources, request_timeout=REQUEST_SECONDS)
    return {
        resource.name: _retention({name: entry.value for name, entry in answer.result(REQUEST_SECONDS).items()})
        for resource, answer in answers.items()
    }


def _retention(config: Mapping[str, str | None]) -> Retention:
    def ms(name: str) -> int:
        value = int(config.get(name) or -1)
        return FOREVER if value < 0 else min(value, FOREVER)

    return Retention(
        "compact" in (config.get("cleanup.policy") or ""),
        ms("retention.ms"),
        ms("segment.ms"),
        ms("max.compaction.lag.ms"),
        ms("delete.retention.ms"),
    )
