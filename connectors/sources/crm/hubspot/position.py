"""The cursors of a reading of HubSpot's webhooks journal. Pure.

HubSpot keeps entries for 3 days. The cursor of the journal also states the backfill by search that what it cannot
reach needs, and each stream of the backfill states how far it has come.
"""

from typing import Final

import msgspec

RETENTION_MS: Final = 3 * 86_400_000
"""Source: HubSpot's guide "Webhook journal APIs": changes of the past 3 days."""
MARGIN_MS: Final = 3_600_000
"""An entry that is younger than ``RETENTION_MS`` by no more than this may have expired."""


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """An object whose newest change was too young when it was read."""

    object_type: str
    id: str
    at_ms: int
    """Time of its newest event."""
    since_ms: int
    """Time at which it was read first."""
    again_ms: int
    """Time at which it is read again."""


class Position(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """How far the journal is read: the cursor of its stream."""

    offset: str
    """The last entry that is read; "" if there was none: the next one is the earliest."""
    offset_ms: int = 0
    """Time at which that entry was published; 0 if it is not known."""
    entry: str = ""
    """The entry after it, of which ``part`` objects are read; "" if none is begun."""
    part: int = 0
    reached_ms: int
    """Time up to which nothing is missing."""
    noted_ms: int
    """Time at which reading began at the journal's end. What is older comes from the backfill."""
    since_ms: int
    """Time at which the backfill begins."""
    gap: str = ""
    """Why it is needed; "" for the first one."""
    subscribed_ms: int
    """Time of the newest change of the subscriptions."""
    restarts: int = 0
    """Times in a row that HubSpot refused an offset and reading went on from the earliest entry."""
    waiting: tuple[Waiting, ...] = ()

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
        """Returns whether the last entry may have expired. If the position is in reach, no later one has."""
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
