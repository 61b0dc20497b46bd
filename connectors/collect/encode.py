"""Turns documents into records of the event topics, and rejected items into records of the DLQ."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final

from msgspec import MsgspecError, Struct

from pipeline.avro.registry import SchemaIds
from pipeline.avro.wire import Encoder
from pipeline.event.accept import Acceptor
from pipeline.event.avro import to_avro
from pipeline.event.erasure import NO_MARKS, Marks, admit
from pipeline.event.identifier import key_of
from pipeline.event.model import CHANNELS, Event
from pipeline.event.parse import Defaults
from pipeline.event.reason import Reason
from pipeline.event.result import Drop, Rejected
from pipeline.event.rules import IdentifierType, IntakeRules
from pipeline.kafka.dlq_headers import ITEM, MAX_DETAIL_CHARACTERS, facts_as_headers
from pipeline.rules.normalisers import normalisers
from pipeline.topics import DLQ, EVENTS

STAGE: Final = "collect"
"""The stage that the DLQ's headers name."""


class Outgoing(Struct, frozen=True, gc=False):
    """A record to produce."""

    topic: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]] = []


class Origin(Struct, frozen=True):
    """The request that an item was sent in."""

    source: str
    dialect: str
    received_ms: int


class RecordEncoder:
    """Encodes the events of all sources. Applies INTAKE's rules, so that both reject the same events."""

    def __init__(
        self,
        rules: IntakeRules,
        types: Iterable[IdentifierType],
        ids: SchemaIds,
        topic_prefix: str,
        marks: Marks = NO_MARKS,
    ) -> None:
        """Reads the schema ids from ``ids`` and raises its errors. ``marks``: events of these customers are dropped."""
        self._marks = marks
        self._accept = Acceptor(rules, types, normalisers(rules.default_country)).accept_document
        self._topics: dict[str, str] = {channel: EVENTS[channel].of(topic_prefix) for channel in CHANNELS}
        self._dlq = DLQ.of(topic_prefix)
        self._encoders: dict[str, Encoder[dict[str, Any]]] = {
            channel: Encoder(EVENTS[channel].value, ids.id_of(self._topics[channel], EVENTS[channel].value))
            for channel in CHANNELS
        }

    def event(self, document: dict[str, Any], defaults: Defaults) -> Outgoing | Rejected | Drop:
        """Returns the record of an event, keyed by its anchor, or why the event is rejected or dropped."""
        try:
            accepted = self._accept(document, defaults, self._encoded)
        except (OverflowError, RecursionError, MsgspecError, ValueError):
            return Rejected(Reason.INVALID_FIELD, "a number is out of range, or nested too deeply")
        if isinstance(accepted, Rejected):
            return accepted
        event = accepted.event
        if self._marks and (dropped := admit(event, self._marks)) is not None:
            return dropped
        key = key_of(event.tenant, event.identifiers[0]).encode()
        return Outgoing(self._topics[event.channel], key, accepted.encoded)

    def quarantined(self, raw: bytes, why: Rejected, origin: Origin, identity: bytes) -> Outgoing:
        """Returns the DLQ record of an item: its bytes as sent, and the facts as headers.

        ``identity`` is the same whenever the sender sends the item again. Its hash is the record's key and a header, by
        which readers count the item once.
        """
        sent = b"\0".join((origin.source.encode(), origin.dialect.encode(), identity))
        item = blake2b(sent, digest_size=16).hexdigest()
        facts = {
            "reason": why.reason.value,
            "detail": why.detail[:MAX_DETAIL_CHARACTERS],
            "stage": STAGE,
            "topic": f"http/{origin.dialect}/{origin.source}",
            "source": origin.source,
            "dialect": origin.dialect,
            "received-at-ms": str(origin.received_ms),
            ITEM: item,
        }
        return Outgoing(self._dlq, item.encode(), raw, facts_as_headers(facts))

    def _encoded(self, event: Event) -> bytes:
        return self._encoders[event.channel](to_avro(event))
