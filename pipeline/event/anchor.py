"""What INTAKE remembers per anchor: whose it is, and the links it was seen with."""

from msgspec import Struct

from pipeline.event.identifier import Identifier
from pipeline.event.link import NEVER

ROW_VERSION = 1
"""Format of a stored row. A reader of another version must convert before it decodes."""
NO_ASSIGNMENT = -1


class KnownLink(Struct, array_like=True, gc=False):
    """One other identifier seen together with the anchor, and how much of that STITCH was told (``passed_…``)."""

    first_ms: int
    last_ms: int
    count: int
    passed_first_ms: int
    passed_last_ms: int


class AnchorRow(Struct, array_like=True, gc=False):
    """One anchor's row in INTAKE's table, under ``tenant/type:value``; also of identifiers that are never anchors."""

    version: int = ROW_VERSION
    profile_id: str | None = None
    """None: STITCH has said nothing yet; the anchor owns itself."""
    seq: int = NO_ASSIGNMENT
    contested: list[Identifier] = []
    links: dict[Identifier, KnownLink] = {}
    first_ms: int = NEVER
    """Event time of the anchor's earliest event, alone or with others; NEVER: it was no event's anchor yet."""

    def note(self, at_ms: int) -> bool:
        """Note the time of an event. Returns whether none was as early before."""
        if self.first_ms != NEVER and self.first_ms <= at_ms:
            return False
        self.first_ms = at_ms
        return True
