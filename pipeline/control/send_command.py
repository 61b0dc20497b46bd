"""Sends an operator's command about identities to the links topic and reads its effects from the changes topic."""

import time
from typing import Any, Final, Literal, TypeAlias
from uuid import uuid4

import confluent_kafka
import msgspec
from confluent_kafka import KafkaError

from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Decoder, Undecodable
from pipeline.errors import OperatorError
from pipeline.event.identifier import Identifier
from pipeline.identity.messages import Command
from pipeline.kafka.clients import idempotent_producer
from pipeline.kafka.reading import Reading, partitions_of
from pipeline.settings import Settings
from pipeline.topics import CHANGES, LINKS

DECISION: Final = "decision/"
"""Event ids of operators' commands begin with it; log-outs are derived from events."""
DELIVERY_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.1
OPEN_SECONDS: Final = 2.0
"""How long to wait for an open transaction to end. It is seldom open for longer than a commit interval."""

Kind: TypeAlias = Literal["link", "unlink", "suppress", "release", "erase", "opt_out", "opt_in"]
Change: TypeAlias = dict[str, Any]
"""A record of the changes topic, with the fields of its schema."""


class DecisionError(OperatorError):
    """Kafka did not accept the command, so nothing has changed.

    Operator action: repair the broker, then send the command again.
    """


def new_command(  # noqa: PLR0917 - the fields of the record
    tenant: str, kind: Kind, a: Identifier, b: Identifier, actor: str, why: str, now_ms: int
) -> Command:
    """Returns a command with a unique event id, which identifies its effects in the changes topic."""
    return Command(tenant, kind, a, b, actor, why, now_ms, f"{DECISION}{uuid4()}")


class CommandSender:
    """Sends commands and waits for their effects.

    Raises:
        MissingTopicError: the topics do not exist: no worker has run yet.
        RegistryError: the schema registry did not answer or refused.
        KafkaException: the broker did not answer or refused.
    """

    def __init__(self, settings: Settings) -> None:
        self._kafka, self._links = settings.kafka(), LINKS.of(settings.topic_prefix)
        self._changes = CHANGES.of(settings.topic_prefix)
        partitions_of(self._kafka, self._links)
        self._partitions = range(partitions_of(self._kafka, self._changes))
        self._decode = Decoder(CHANGES.value, schema_ids(settings.schema_registry_url).writer)
        self._begin = self._reading().ends

    def send(self, command: Command) -> None:
        """Appends the command to the links topic, exactly once despite network errors, before returning.

        Raises:
            DecisionError: Kafka did not accept the command.
        """
        failures: list[KafkaError] = []

        def on_delivery(error: KafkaError | None, _message: confluent_kafka.Message) -> None:
            if error is not None:
                failures.append(error)

        producer = idempotent_producer(self._kafka, {"delivery.timeout.ms": int(DELIVERY_SECONDS * 1000)})
        producer.produce(self._links, msgspec.msgpack.encode(command), command.tenant, on_delivery=on_delivery)
        undelivered = producer.flush(DELIVERY_SECONDS + 1)
        if failures or undelivered:
            message = f"Kafka did not take the decision: {failures[0].str() if failures else 'no answer'}"
            raise DecisionError(message)

    def wait_for_changes(self, command: Command, within_seconds: float) -> list[Change]:
        """Returns the changes that STITCH made because of a sent command, by ``seq``; empty after ``within_seconds``.

        Every command causes at least one change, that of the command itself.
        """
        deadline = time.monotonic() + within_seconds
        while time.monotonic() < deadline:
            if self._poll_changes(command):
                # All changes are in one transaction. The first read may have passed some partitions before its markers
                # were written there; a second read, which waits for them, is complete.
                return self._poll_changes(command)
            time.sleep(POLL_SECONDS)
        return []

    def _poll_changes(self, command: Command) -> list[Change]:
        changes = []
        for batch in self._reading(self._begin).batches():
            for message in batch:
                change = self._change(message)
                if change is not None and change["trigger_event_id"] == command.event_id:
                    changes.append(change)
        return sorted(changes, key=lambda change: int(change["seq"]))

    def _change(self, message: confluent_kafka.Message) -> Change | None:
        try:
            return self._decode(message.value())
        except Undecodable:  # another program's record
            return None

    def _reading(self, begin: dict[int, int] | None = None) -> Reading:
        return Reading(self._kafka, self._changes, self._partitions, begin=begin, timeout_seconds=OPEN_SECONDS)
