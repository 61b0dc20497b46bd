"""The link: what INTAKE sends to STITCH and STITCH resolves."""

from typing import Final

from msgspec import Struct

from pipeline.event.identifier import Identifier

NEVER: Final = -1
"""In place of a time: it is not known."""


class Link(Struct, array_like=True, gc=False, tag="link", tag_field="record"):
    """Two identifiers were seen on one event. ``anchor`` is the stronger end, under which the event is booked.

    Of several records of one pair, the least ``first_seen_ms``, the greatest ``last_seen_ms`` and the greatest
    ``count`` hold.
    """

    tenant: str
    anchor: Identifier
    other: Identifier
    first_seen_ms: int
    last_seen_ms: int
    count: int
    source: str
    event_id: str
    """The event that made INTAKE pass the link on. Empty, like ``source``, when no event did."""
    asserted: bool = False
    """The event says the two are one (an alias, the CRM's contact of a lead): no limit of a type holds it."""
    anchor_first_ms: int = NEVER
    """Event time of the anchor's first event, alone or with others."""
