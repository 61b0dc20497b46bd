"""What one event says about who is who: links of its anchor with its other identifiers, and log-outs."""

from pipeline.event.model import Event
from pipeline.identity.messages import Command, Link
from pipeline.identity.policy import IdentityPolicy


def links_of(event: Event) -> list[Link]:
    """The links of a normalised event, whose strongest identifier stands first. An alias asserts them."""
    anchor, *others = event.identifiers
    at_ms, asserted = event.timestamp_ms, event.type == "alias"
    return [
        Link(event.tenant, anchor, other, at_ms, at_ms, 1, event.source, event.event_id, asserted) for other in others
    ]


def logouts_of(event: Event, policy: IdentityPolicy) -> list[Command]:
    """If the rules call the event a log-out: the anchor no longer owns its devices until it is next seen there."""
    if event.type != "track" or event.name not in policy.rules.logout_events:
        return []
    anchor, *others = event.identifiers
    return [
        Command(event.tenant, "logout", anchor, other, event.source, event.name, event.timestamp_ms, event.event_id)
        for other in others
        if not (policy.kind(other).strong or policy.kind(other).household)
    ]
