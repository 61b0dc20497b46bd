"""Segments: sizes, members, changes of one profile."""

from typing import Any

import msgspec
from sqlalchemy import func, select

from pipeline.serve.model.tables import members, profiles, segment_changes
from pipeline.serve.read.context import ReadContext
from pipeline.serve.read.pages import Page


class SegmentReads:
    """Reads segments and their members, as the newest profile updates list them."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context

    def all(self, tenant: str) -> list[dict[str, Any]]:
        """Returns every segment of the rules with its number of members, and others that still have members."""
        counting = select(members.c.segment, func.count()).where(members.c.tenant == tenant).group_by(members.c.segment)
        with self._context.store.reading() as connection:
            counts = {row[0]: int(row[1]) for row in connection.execute(counting)}
        declared = {rule.name: rule for rule in self._context.rules.segments.segments}
        return [
            {
                "name": name,
                "when": declared[name].when if name in declared else None,
                "description": declared[name].description if name in declared else "",
                "members": counts.get(name, 0),
            }
            for name in sorted({*declared, *counts})
        ]

    def is_known(self, tenant: str, segment: str) -> bool:
        """Returns whether the rules declare a segment, or profiles are still members of it."""
        if any(rule.name == segment for rule in self._context.rules.segments.segments):
            return True
        query = select(members.c.profile_id).where(members.c.tenant == tenant, members.c.segment == segment).limit(1)
        with self._context.store.reading() as connection:
            return connection.execute(query).first() is not None

    def members(self, tenant: str, segment: str, *, limit: int = 100, cursor: str = "") -> Page:
        """Returns members in the order of profile ids: each a profile. The cursor is the last id of a page."""
        statement = (
            select(members.c.profile_id, profiles.c.body)
            .join(profiles, profiles.c.profile_id == members.c.profile_id)
            .where(members.c.tenant == tenant, members.c.segment == segment, members.c.profile_id > cursor)
            .order_by(members.c.profile_id)
            .limit(limit + 1)
        )
        with self._context.store.reading() as connection:
            rows = connection.execute(statement).all()
        shown = rows[:limit]
        items = [msgspec.json.decode(row.body) for row in shown]
        return Page(items, shown[-1].profile_id if len(rows) > limit else "")

    def history(self, tenant: str, profile_id: str, *, limit: int = 200) -> list[dict[str, Any]]:
        """Returns a profile's entries and exits, newest first."""
        columns = (segment_changes.c.segment, segment_changes.c.change, segment_changes.c.timestamp_ms)
        statement = (
            select(*columns)
            .where(segment_changes.c.tenant == tenant, segment_changes.c.profile_id == profile_id)
            .order_by(segment_changes.c.timestamp_ms.desc(), segment_changes.c.event_id.desc())
            .limit(limit)
        )
        with self._context.store.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(statement)]  # noqa: SLF001  SQLAlchemy's public name
