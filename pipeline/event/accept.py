"""Whether an event can be taken: one walk for INTAKE, for the sources and for the commands that read files."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import MsgspecError, Struct

from pipeline.event.model import Event
from pipeline.event.normalise import EventNormaliser
from pipeline.event.parse import Defaults, parse_event
from pipeline.event.reason import Reason
from pipeline.event.recognise import Normalisers
from pipeline.event.result import Rejected
from pipeline.event.rules import IdentifierType, IntakeRules
from pipeline.event.validate import validate
from pipeline.event.wide_integers import write_wide_integers


class Accepted(Struct, frozen=True, gc=False):
    """An event that was read from a document."""

    event: Event
    """Normalised: its strongest identifier stands first."""
    encoded: bytes
    """The event as it was sent, before it was normalised."""


class Acceptor:
    """Accepts or rejects events by the rules in force."""

    def __init__(self, rules: IntakeRules, types: Iterable[IdentifierType], normalisers: Normalisers) -> None:
        self._rules = rules
        self._normalise = EventNormaliser(rules, types, normalisers).normalise

    def accept(self, event: Event, now_ms: int, size_bytes: int) -> Event | Rejected:
        """The event, validated and normalised in place; or why it cannot be taken.

        ``size_bytes`` is the length of the encoded event.
        """
        return validate(event, self._rules, now_ms, size_bytes) or self._normalise(event) or event

    def accept_document(
        self, document: Mapping[str, Any], defaults: Defaults, encode: Callable[[Event], bytes]
    ) -> Accepted | Rejected:
        """The event that a JSON document describes, with its encoding; or why it cannot be taken.

        1. parse;
        2. encode, as sent, with integers of more than 64 bits as text;
        3. validate and normalise. The event's own time stands for now: it may wait in a topic, so that INTAKE's clock
           decides whether it is too old.
        """
        try:
            # 1. parse
            event = parse_event(document, defaults)
            # 2. encode
            encoded = _encoded(event, encode)
        except (ValueError, MsgspecError) as error:
            return Rejected(Reason.INVALID_FIELD, str(error))
        # 3. validate and normalise
        accepted = self.accept(event, event.timestamp_ms, len(encoded))
        return accepted if isinstance(accepted, Rejected) else Accepted(accepted, encoded)


def _encoded(event: Event, encode: Callable[[Event], bytes]) -> bytes:
    try:
        return encode(event)
    except OverflowError:
        for bag in (event.properties, event.context, event.traits):
            write_wide_integers(bag)
        return encode(event)
