"""Aliases of user ids: ``alias(userId: new, previousId: old)`` joins both if ``old`` is the user id of any event.

``previousId`` may name a user or a browser. As a browser's id it is ordinary evidence like any other identifier. As a
user id it is asserted, which the limits of a type do not bind. So it counts only if ``old`` is a user id in fact: the
anchor of an event. The alias waits for that event in the row of ``old``, and is passed on once both were seen, in
either order. So the links depend only on the set of events.
"""

from typing import Final

from pipeline.event.anchor import Alias, AnchorRow
from pipeline.event.identifier import Identifier, identifier, key_of
from pipeline.event.link import NEVER, Link
from pipeline.event.model import Event

ALIAS: Final = "alias"
"""The type of events that assert that two identifiers belong to one person."""
PREVIOUS: Final = "previousId"
"""Entry of an alias's context: the earlier id, normalised as a user id."""
USER: Final = "user_id"


def previous_user(event: Event) -> Identifier:
    """Returns the user id that an alias may join with that of the normalised event; "" if there is none."""
    if event.type != ALIAS or PREVIOUS not in event.context:
        return ""
    previous = identifier(USER, event.context[PREVIOUS])
    return "" if previous in event.identifiers else previous


def copy_key(event: Event) -> str:
    """Returns the key under which a copy of the normalised event belongs: that of the previous user id; "" if none."""
    previous = previous_user(event)
    return key_of(event.tenant, previous) if previous else ""


def alias_link(event: Event, previous: Identifier, first_ms: int) -> Link:
    """Returns the link of an alias with a user id that was first seen at ``first_ms``."""
    at_ms, event_id = event.timestamp_ms, event.event_id
    return Link(event.tenant, previous, event.identifiers[0], at_ms, at_ms, 1, event.source, event_id, True, first_ms)


def note_alias(row: AnchorRow, event: Event, cap: int) -> None:
    """Stores an alias in the row of its previous user id. Beyond ``cap`` aliases, forgets the oldest."""
    at_ms, other = event.timestamp_ms, event.identifiers[0]
    known = row.aliases.get(other)
    if known is None:
        row.aliases[other] = Alias(at_ms, at_ms, 1, event.source, event.event_id)
    else:
        known.count += 1
        known.first_ms = min(known.first_ms, at_ms)
        if (at_ms, event.event_id) > (known.last_ms, known.event_id):
            known.last_ms, known.source, known.event_id = at_ms, event.source, event.event_id
    while len(row.aliases) > cap:
        del row.aliases[min(row.aliases, key=lambda ident: (row.aliases[ident].last_ms, ident))]


def alias_links(tenant: str, previous: Identifier, row: AnchorRow) -> list[Link]:
    """Returns the links of all aliases in the row of a user id; none while the user id was not seen itself."""
    if row.first_ms == NEVER:
        return []
    return [
        Link(tenant, previous, other, a.first_ms, a.last_ms, a.count, a.source, a.event_id, True, row.first_ms)
        for other, a in row.aliases.items()
    ]
