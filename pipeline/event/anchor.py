"""INTAKE's row per anchor: the profile that owns the anchor, and the links the anchor was seen in."""

from msgspec import Struct

from pipeline.event.identifier import Identifier
from pipeline.event.link import NEVER

ROW_VERSION = 1
"""Format of a stored row. A reader of another version must convert before it decodes."""
NO_ASSIGNMENT = -1


class KnownLink(Struct, array_like=True, gc=False):
    """An identifier seen together with the anchor. ``passed_…`` is what INTAKE has sent to STITCH about the pair."""

    first_ms: int
    last_ms: int
    count: int
    passed_first_ms: int
    passed_last_ms: int


class Alias(Struct, array_like=True, gc=False):
    """Alias calls that name the row's user id as the previous one of another."""

    first_ms: int
    last_ms: int
    count: int
    source: str
    event_id: str
    """The newest call."""


class AnchorRow(Struct, array_like=True, gc=False):
    """A row of INTAKE's table, keyed by ``tenant/type:value``. Identifiers that are never anchors have rows too."""

    version: int = ROW_VERSION
    profile_id: str | None = None
    """None until STITCH has assigned a profile; until then the anchor founds its own profile."""
    seq: int = NO_ASSIGNMENT
    contested: list[Identifier] = []
    links: dict[Identifier, KnownLink] = {}
    first_ms: int = NEVER
    """Event time of the earliest event under this anchor, in ms. NEVER: no event had this anchor yet."""
    aliases: dict[Identifier, Alias] = {}
    """By user id, the aliases that name this one as the previous one (:mod:`pipeline.event.alias`)."""

    def note(self, at_ms: int) -> bool:
        """Records the time of an event. Returns whether it is earlier than every event before."""
        if self.first_ms != NEVER and self.first_ms <= at_ms:
            return False
        self.first_ms = at_ms
        return True
