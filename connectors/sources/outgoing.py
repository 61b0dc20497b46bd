"""An event as JSON to the record it is on its channel's topic, or why it would only end in the DLQ."""

from collections.abc import Iterable
from typing import Any

import msgspec

from connectors.sources.record import Payload, Reject
from pipeline.event.avro import to_avro
from pipeline.event.identifier import key_of
from pipeline.event.model import CHANNELS
from pipeline.event.normalise import EventNormaliser
from pipeline.event.parse import Defaults, parse_event
from pipeline.event.reason import Reason
from pipeline.event.rules import IdentifierType, IntakeRules
from pipeline.event.validate import validate
from pipeline.stream.normalisers import normalisers
from pipeline.stream.registry import SchemaIds
from pipeline.stream.wire import Encoder
from pipeline.topics import EVENTS


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A record to produce. The key is the anchor's, so that the event lands where its customer's others are."""

    topic: str
    key: str
    value: bytes


class EventEncoder:
    """Turns documents into records. INTAKE's own rules decide, so that what is refused here is what it would refuse.

    Only the clock is left to INTAKE: an event may wait in the topic. The record holds the event as it was sent;
    normalising it here finds the anchor.
    """

    def __init__(
        self,
        rules: IntakeRules,
        types: Iterable[IdentifierType],
        ids: SchemaIds,
        topic_prefix: str,
        defaults: Defaults,
    ) -> None:
        self._rules = rules
        self._normalise = EventNormaliser(rules, types, normalisers(rules.default_country)).normalise
        self._defaults = defaults
        self._topics: dict[str, str] = {channel: EVENTS[channel].of(topic_prefix) for channel in CHANNELS}
        self._encoders: dict[str, Encoder[dict[str, Any]]] = {
            channel: Encoder(EVENTS[channel].value, ids.id_of(self._topics[channel], EVENTS[channel].value))
            for channel in CHANNELS
        }

    def __call__(self, payload: Payload, message_id: str = "") -> Outgoing | Reject:
        """The record of one event. ``message_id`` is for an event that brings none."""
        try:
            event = parse_event(payload, self._with(message_id))
            value = self._encoders[event.channel](to_avro(event))
        except (ValueError, msgspec.MsgspecError) as error:
            return Reject(Reason.INVALID_FIELD, str(error))
        except OverflowError:
            return Reject(Reason.INVALID_FIELD, "a number has more than 64 bits")
        refused = validate(event, self._rules, event.timestamp_ms, len(value)) or self._normalise(event)
        if refused is not None:
            return Reject(refused.reason, refused.detail)
        return Outgoing(self._topics[event.channel], key_of(event.tenant, event.identifiers[0]), value)

    def _with(self, message_id: str) -> Defaults:
        if not message_id:
            return self._defaults
        known = self._defaults
        return Defaults(tenant=known.tenant, source=known.source, channel=known.channel, message_id=message_id)
