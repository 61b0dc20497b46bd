"""The newest changes of profiles, segments, leads and identities since an id."""

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import func, select

from pipeline.serve.model import facts
from pipeline.serve.model.tables import feed
from pipeline.serve.read.context import ReadContext


class Change(msgspec.Struct, frozen=True):
    """One change, without personal data."""

    id: str
    """Pass it as ``since`` to get the changes after this one."""
    kind: str
    """profile, segment, lead or identity."""
    profile_id: str
    facts: dict[str, Any]


class Changes(msgspec.Struct, frozen=True):
    """Changes in the order of their commits."""

    items: list[Change]
    last: str
    """The id to continue from."""
    is_gap: bool = False
    """Whether changes after ``since`` are missing: too old, or the model was rebuilt. Read the current state again."""


class FeedReads:
    """Reads the feed."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context

    def since(
        self, tenant: str, since: str = "", *, kinds: Collection[str] = (), profile_id: str = "", limit: int = 500
    ) -> Changes:
        """Returns changes after the id ``since``; none and the newest id if ``since`` is empty."""
        with self._context.store.reading() as connection:
            epoch = facts.fact(connection, facts.EPOCH)
            first, last = connection.execute(select(func.min(feed.c.number), func.max(feed.c.number))).one()
            newest = last or 0
            after = _number_in(since, epoch)
            if not since:
                return Changes([], f"{epoch}-{newest}")
            if after is None or after > newest or (first is not None and after < first - 1):
                return Changes([], f"{epoch}-{newest}", is_gap=True)
            statement = select(feed).where(feed.c.tenant == tenant, feed.c.number > after, feed.c.number <= newest)
            if kinds:
                statement = statement.where(feed.c.kind.in_(kinds))
            if profile_id:
                statement = statement.where(feed.c.profile_id == profile_id)
            rows = connection.execute(statement.order_by(feed.c.number).limit(limit)).all()
        items = [
            Change(f"{epoch}-{row.number}", row.kind, row.profile_id, msgspec.json.decode(row.body)) for row in rows
        ]
        # A full page may be followed by more changes; else everything up to the newest number was examined.
        return Changes(items, items[-1].id if len(items) == limit else f"{epoch}-{newest}")


def _number_in(change_id: str, epoch: str) -> int | None:
    """Returns the number in an id of this epoch, or None."""
    prefix, _, number = change_id.rpartition("-")
    return int(number) if prefix == epoch and number.isascii() and number.isdigit() and len(number) < 19 else None
