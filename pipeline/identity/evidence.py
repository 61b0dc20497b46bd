"""What one event says about who is who: links of its anchor with its other identifiers, and log-outs."""

from collections.abc import Iterable

from msgspec.structs import replace

from pipeline.event.identifier import Identifier
from pipeline.event.model import Event
from pipeline.identity.messages import Command, Link
from pipeline.identity.rulebook import Rulebook


def links_of(event: Event) -> list[Link]:
    """The links of a normalised event, whose strongest identifier stands first. An alias asserts them."""
    anchor, *others = event.identifiers
    at_ms, asserted = event.timestamp_ms, event.type == "alias"
    return [
        Link(event.tenant, anchor, other, at_ms, at_ms, 1, event.source, event.event_id, asserted, at_ms)
        for other in others
    ]


class FirstSightings:
    """When the anchors of events were first seen, alone or with others."""

    def __init__(self) -> None:
        self._first_ms: dict[Identifier, int] = {}

    def note(self, event: Event) -> None:
        """Take in a normalised event. All must be of one tenant."""
        anchor = event.identifiers[0]
        self._first_ms[anchor] = min(self._first_ms.get(anchor, event.timestamp_ms), event.timestamp_ms)

    def told(self, links: Iterable[Link]) -> list[Link]:
        """The links as they are passed on once all events are taken in."""
        known = self._first_ms
        return [replace(link, anchor_first_ms=known.get(link.anchor, link.anchor_first_ms)) for link in links]


def logouts_of(event: Event, book: Rulebook) -> list[Command]:
    """If the rules call the event a log-out: the anchor no longer owns its devices until it is next seen there."""
    if event.type != "track" or event.name not in book.rules.logout_events:
        return []
    anchor, *others = event.identifiers
    return [
        Command(event.tenant, "logout", anchor, other, event.source, event.name, event.timestamp_ms, event.event_id)
        for other in others
        if not (book.kind(other).strong or book.kind(other).household)
    ]
