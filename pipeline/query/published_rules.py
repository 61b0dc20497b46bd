"""Which rules the workers work by, as the newest profile updates say."""

from typing import Any, Final

from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Decoder, Undecodable
from pipeline.kafka.reading import Reading, partitions_of
from pipeline.settings import Settings
from pipeline.topics import UPDATES

_LAST_OFFSETS: Final = 64
"""Of each partition: enough to hold a record among transaction markers and merged profiles."""
_TIMEOUT_SECONDS: Final = 2.0


class NewestRules:
    """Folds profile updates to the rules version of the newest that has one."""

    def __init__(self) -> None:
        self.version = ""
        self._as_of_ms = -1

    def feed(self, update: dict[str, Any]) -> None:
        """Take an update, in any order."""
        if update["rules_version"] and update["as_of_ms"] >= self._as_of_ms:
            self.version, self._as_of_ms = update["rules_version"], update["as_of_ms"]


def published_rules_version(settings: Settings) -> str:
    """The rules version in the newest profile updates; "" if there are none, or none from workers that publish it.

    Raises:
        MissingTopicError: The topic of profile updates is not there.
        RegistryError: The schema registry did not answer or refused.
        KafkaException: The broker did not answer or refused.
    """
    config, topic, newest = settings.kafka(), UPDATES.of(settings.topic_prefix), NewestRules()
    partitions = range(partitions_of(config, topic))
    decode = Decoder(UPDATES.value, schema_ids(settings.schema_registry_url).writer)
    reading = Reading(config, topic, partitions, last_offsets=_LAST_OFFSETS, timeout_seconds=_TIMEOUT_SECONDS)
    for batch in reading.batches():
        for message in batch:
            value = message.value()
            if value is not None:
                try:
                    newest.feed(decode(value))
                except Undecodable:
                    continue  # what is no update says nothing about rules
    return newest.version
