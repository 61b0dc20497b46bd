"""The link: the record that INTAKE sends to STITCH for resolution."""

from typing import Final

from msgspec import Struct

from pipeline.event.identifier import Identifier

NEVER: Final = -1
"""Marks a time that is not known."""


class Link(Struct, array_like=True, gc=False, tag="link", tag_field="record"):
    """Two identifiers that were seen on one event. ``anchor`` is the stronger end, under which the event is booked.

    Several records of one pair are merged into the least ``first_seen_ms``, the greatest ``last_seen_ms`` and the
    greatest ``count``.
    """

    tenant: str
    anchor: Identifier
    other: Identifier
    first_seen_ms: int
    last_seen_ms: int
    count: int
    source: str
    event_id: str
    """The event that made INTAKE pass the link on. Empty, like ``source``, if an assignment did."""
    asserted: bool = False
    """The event asserts the link (an alias, the CRM's contact of a lead): limits of a type do not reject it."""
    anchor_first_ms: int = NEVER
    """Event time of the anchor's first event, in milliseconds since 1970."""
