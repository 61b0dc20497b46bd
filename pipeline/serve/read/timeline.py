"""The timeline of a profile: its newest touches and CRM activities, paged by stable cursors."""

from typing import Any

import msgspec

from pipeline.profile.fold import timeline_page
from pipeline.profile.view import entry_view
from pipeline.serve.read.context import ReadContext
from pipeline.serve.read.pages import CursorError


class TimelinePage(msgspec.Struct, frozen=True):
    """One page, newest first."""

    entries: list[dict[str, Any]]
    next: str
    """The cursor of the next page; "" on the last page. New events do not shift it."""


class TimelineReads:
    """Reads timelines. PROFILE keeps the newest 20 touches and 20 activities of each anchor."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context

    def page(self, tenant: str, profile_id: str, *, limit: int, cursor: str = "") -> TimelinePage | None:
        """Returns a page of a current profile's timeline; None for an unknown profile.

        Raises:
            CursorError: ``cursor`` is not a cursor.
        """
        with self._context.store.reading() as connection:
            row = self._context.state(connection, tenant, profile_id)
        if row is None or not row.anchors:
            return None
        try:
            page = timeline_page(row.ledgers(), limit, cursor)
        except ValueError as error:
            raise CursorError(str(error)) from error
        return TimelinePage([entry_view(entry) for entry in page.entries], page.before)
