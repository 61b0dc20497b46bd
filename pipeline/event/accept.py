"""Accepting events: the checks and the normalisation that INTAKE, the sources and the file commands share."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import MsgspecError, Struct

from pipeline.event.model import Event
from pipeline.event.normalise import EventNormaliser
from pipeline.event.parse import Defaults, parse_event
from pipeline.event.reason import Reason
from pipeline.event.recognise import REMEMBERED, Normalisers
from pipeline.event.result import Rejected
from pipeline.event.rules import IdentifierType, IntakeRules
from pipeline.event.validate import validate
from pipeline.event.wide_integers import write_wide_integers


class Accepted(Struct, frozen=True, gc=False):
    """An event that was read from a document."""

    event: Event
    """The normalised event. Its strongest identifier comes first."""
    encoded: bytes
    """The event as it was sent, before it was normalised."""


class Acceptor:
    """Accepts or rejects events by the rules in force."""

    def __init__(
        self,
        rules: IntakeRules,
        types: Iterable[IdentifierType],
        normalisers: Normalisers,
        remembered: int = REMEMBERED,
    ) -> None:
        """``remembered`` is that of :class:`EventNormaliser`."""
        self._rules = rules
        self._normalise = EventNormaliser(rules, types, normalisers, remembered).normalise

    def accept(self, event: Event, now_ms: int, size_bytes: int) -> Event | Rejected:
        """Validates and normalises the event in place. Returns it, or the reason for its rejection.

        ``size_bytes`` is the length of the encoded event.
        """
        return validate(event, self._rules, now_ms, size_bytes) or self._normalise(event) or event

    def accept_document(
        self, document: Mapping[str, Any], defaults: Defaults, encode: Callable[[Event], bytes]
    ) -> Accepted | Rejected:
        """Returns the event that a JSON document describes and its encoding, or the reason for its rejection.

        1. Parse.
        2. Encode the event as sent. Integers of more than 64 bits become text.
        3. Validate and normalise.
        """
        try:
            # 1. parse
            event = parse_event(document, defaults)
            # 2. encode
            encoded = _encoded(event, encode)
        except (ValueError, MsgspecError) as error:
            return Rejected(Reason.INVALID_FIELD, str(error))
        # 3. validate and normalise; the event's own time is passed as now, because the event may wait in a topic and
        #    INTAKE checks its age when reading it
        accepted = self.accept(event, event.timestamp_ms, len(encoded))
        return accepted if isinstance(accepted, Rejected) else Accepted(accepted, encoded)


def _encoded(event: Event, encode: Callable[[Event], bytes]) -> bytes:
    try:
        return encode(event)
    except OverflowError:
        for bag in (event.properties, event.context, event.traits):
            write_wide_integers(bag)
        return encode(event)
