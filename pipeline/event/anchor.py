"""What INTAKE remembers per anchor: whose it is, and the links it was seen with."""

from msgspec import Struct

from pipeline.event.identifier import Identifier

ROW_VERSION = 1
"""Format of a stored row. A reader of another version must convert before it decodes."""
NO_ASSIGNMENT = -1


class KnownLink(Struct, array_like=True, gc=False):
    """One other identifier seen together with the anchor, and how much of that STITCH was told (``passed_…``)."""

    first_ms: int
    last_ms: int
    count: int
    source: str
    message_id: str
    """Of the newest event that showed the link; of several at the same instant, the greatest."""
    passed_first_ms: int = 0
    passed_last_ms: int = 0
    passed_count: int = 0
    """0: never passed on."""


class AnchorRow(Struct, array_like=True, gc=False):
    """One anchor's row in INTAKE's table, under ``tenant/type:value``; also of identifiers that are never anchors."""

    version: int = ROW_VERSION
    profile_id: str | None = None
    """None: STITCH has said nothing yet; the anchor owns itself."""
    seq: int = NO_ASSIGNMENT
    contested: list[Identifier] = []
    links: dict[Identifier, KnownLink] = {}


class SeenLink(Struct, gc=False):
    """A link to tell STITCH. First and last are extremes over all events; counts of one link add up to its events."""

    tenant: str
    anchor: Identifier
    other: Identifier
    first_seen_ms: int
    last_seen_ms: int
    count: int
    """Events that showed the link since it was last passed on."""
    source: str
    event_id: str
    """Of the newest event that showed it."""
