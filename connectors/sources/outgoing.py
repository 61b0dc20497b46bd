"""Turns an event in JSON into the record of its channel's topic, or rejects it if INTAKE would quarantine it."""

from collections.abc import Iterable
from typing import Any

import msgspec

from connectors.sources.record import Payload
from pipeline.avro.registry import SchemaIds
from pipeline.avro.wire import Encoder
from pipeline.event.accept import Acceptor
from pipeline.event.avro import to_avro
from pipeline.event.identifier import key_of
from pipeline.event.model import CHANNELS, Event
from pipeline.event.parse import Defaults
from pipeline.event.result import Rejected
from pipeline.event.rules import IdentifierType, IntakeRules
from pipeline.rules.normalisers import normalisers
from pipeline.topics import EVENTS


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A record to produce. Its key is the event's anchor."""

    topic: str
    key: str
    value: bytes


class EventEncoder:
    """Turns documents into records. Applies the rules of INTAKE, so that both reject the same events.

    Only INTAKE checks event times against the clock, because an event may wait in the topic. The record holds the event
    as it was sent; normalised identifiers only determine the key.
    """

    def __init__(
        self,
        rules: IntakeRules,
        types: Iterable[IdentifierType],
        ids: SchemaIds,
        topic_prefix: str,
        defaults: Defaults,
    ) -> None:
        self._accept = Acceptor(rules, types, normalisers(rules.default_country)).accept_document
        self._defaults = defaults
        self._topics: dict[str, str] = {channel: EVENTS[channel].of(topic_prefix) for channel in CHANNELS}
        self._encoders: dict[str, Encoder[dict[str, Any]]] = {
            channel: Encoder(EVENTS[channel].value, ids.id_of(self._topics[channel], EVENTS[channel].value))
            for channel in CHANNELS
        }

    def __call__(self, payload: Payload, message_id: str = "") -> Outgoing | Rejected:
        """Returns the record of one event, or why it is rejected. ``message_id`` applies to an event without one."""
        accepted = self._accept(payload, self._with(message_id), self._encoded)
        if isinstance(accepted, Rejected):
            return accepted
        event = accepted.event
        return Outgoing(self._topics[event.channel], key_of(event.tenant, event.identifiers[0]), accepted.encoded)

    def _encoded(self, event: Event) -> bytes:
        return self._encoders[event.channel](to_avro(event))

    def _with(self, message_id: str) -> Defaults:
        if not message_id:
            return self._defaults
        known = self._defaults
        return Defaults(tenant=known.tenant, source=known.source, channel=known.channel, message_id=message_id)
