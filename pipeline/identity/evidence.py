"""The identity evidence of an event: links of its anchor with its other identifiers, and log-outs."""

from collections.abc import Iterable

from msgspec.structs import replace

from pipeline.event.alias import alias_link, previous_user
from pipeline.event.identifier import Identifier
from pipeline.event.known_links import asserts
from pipeline.event.model import Event
from pipeline.identity.messages import Command, Link
from pipeline.identity.policy import IdentityPolicy


def links_of(event: Event) -> list[Link]:
    """Returns the links between a normalised event's anchor and its other identifiers. An alias may assert them."""
    anchor, *others = event.identifiers
    at_ms = event.timestamp_ms
    return [
        Link(event.tenant, anchor, other, at_ms, at_ms, 1, event.source, event.event_id, asserts(event, other), at_ms)
        for other in others
    ]


class FirstSightings:
    """Event time of the first event of each anchor."""

    def __init__(self) -> None:
        self._first_ms: dict[Identifier, int] = {}
        self._aliases: list[tuple[Event, Identifier]] = []

    def note(self, event: Event) -> None:
        """Records the time of a normalised event. All events must be of one tenant."""
        anchor = event.identifiers[0]
        self._first_ms[anchor] = min(self._first_ms.get(anchor, event.timestamp_ms), event.timestamp_ms)
        if previous := previous_user(event):
            self._aliases.append((event, previous))

    def with_first_sightings(self, links: Iterable[Link]) -> list[Link]:
        """Returns the links with their anchors' first sightings, as INTAKE passes them on after all events.

        Adds the links of aliases with user ids that were seen.
        """
        known = self._first_ms
        aliases = [alias_link(event, user, known[user]) for event, user in self._aliases if user in known]
        return [replace(link, anchor_first_ms=known.get(link.anchor, link.anchor_first_ms)) for link in links] + aliases


def logouts_of(event: Event, policy: IdentityPolicy) -> list[Command]:
    """Returns the log-out commands of an event; none if the rules do not declare its name as a log-out.

    After a log-out no person owns the device until a person is seen on it again. An event without a person's
    identifier (some clients reset the user before they send it) logs out of all its devices.
    """
    if event.type != "track" or not policy.is_logout(event.name):
        return []
    anchor, *others = event.identifiers
    pairs = (
        [(anchor, other) for other in others] if policy.kind(anchor).strong else [(i, "") for i in event.identifiers]
    )
    return [
        Command(event.tenant, "logout", a, b, event.source, event.name, event.timestamp_ms, event.event_id)
        for a, b in pairs
        if not (policy.kind(b or a).strong or policy.kind(b or a).household or policy.kind(b or a).must_agree)
    ]
