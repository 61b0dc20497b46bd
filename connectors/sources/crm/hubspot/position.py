"""The cursors of the reader of HubSpot's webhooks journal. Pure.

The cursor of the stream ``journal`` states how far entries are read, and from when to when a backfill searches what
the journal does not have. The cursor of each stream of the backfill states how far that search has come.
"""

from typing import Final

import msgspec

from pipeline.event.duration import DAY_MS, HOUR_MS

RETENTION_MS: Final = 3 * DAY_MS
"""How long HubSpot keeps entries. Source: its guide "Webhook journal APIs": changes of the past 3 days."""
MARGIN_MS: Final = HOUR_MS
"""An entry counts as possibly expired this long before ``RETENTION_MS``."""


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """An object whose newest change was too young when it was read."""

    object_type: str
    id: str
    at_ms: int
    """Time of its newest event."""
    since_ms: int
    """Time at which it was first read."""
    again_ms: int
    """Earliest time at which it is read again."""


class Position(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """How far the journal is read: the cursor of the stream ``journal``."""

    offset: str
    """Offset of the entry after which reading goes on; "" to go on at the earliest entry."""
    offset_ms: int = 0
    """Time at which that entry was published; 0 if it is not known."""
    entry: str = ""
    """Offset of the next entry, if it is read in part; "" otherwise."""
    part: int = 0
    """Number of objects of ``entry`` that are read."""
    reached_ms: int
    """Time up to which nothing is missing."""
    noted_ms: int
    """Time at which the backfill became necessary: at the start, or at a gap. It searches the changes up to then."""
    since_ms: int
    """Time from which on the backfill searches changes."""
    gap: str = ""
    """Why the backfill is needed; "" for the one at the start."""
    subscribed_ms: int
    """Time of the newest change of the subscriptions."""
    restarts: int = 0
    """Number of refused offsets in a row after which reading went on at the earliest entry."""
    waiting: tuple[Waiting, ...] = ()
    """Objects that are read again later."""

    def text(self) -> str:
        """Returns the cursor."""
        return msgspec.json.encode(self).decode()

    def after(self, offset: str, published_ms: int, now_ms: int) -> "Position":
        """Returns the position after an entry."""
        reached_ms = max(self.reached_ms, min(published_ms, now_ms))
        return msgspec.structs.replace(
            self, offset=offset, offset_ms=published_ms, entry="", part=0, reached_ms=reached_ms, restarts=0
        )

    def is_out_of_reach(self, now_ms: int) -> bool:
        """Returns whether entries after the position may have expired unread."""
        return now_ms - self.reached_ms >= RETENTION_MS - MARGIN_MS

    def may_have_expired(self, now_ms: int) -> bool:
        """Returns whether the entry at ``offset`` may have expired. Later ones have not, unless out of reach."""
        return now_ms - self.offset_ms >= RETENTION_MS - MARGIN_MS


class Backfill(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """How far a backfill by search is read: the cursor of one of its streams."""

    noted_ms: int
    """``noted_ms`` of the position that needs it."""
    since_ms: int
    search: str
    """The cursor of the search."""
    done: bool = False

    def text(self) -> str:
        """Returns the cursor."""
        return msgspec.json.encode(self).decode()


def position_of(cursor: str) -> Position | None:
    """Returns the position of a cursor; None for ""."""
    return msgspec.json.decode(cursor, type=Position) if cursor else None


def backfill_of(cursor: str) -> Backfill | None:
    """Returns the backfill of a cursor; None for ""."""
    return msgspec.json.decode(cursor, type=Backfill) if cursor else None
