"""Finds changed objects in HubSpot's webhooks journal, and reads their present state.

The stream ``journal`` reads entries. An entry points to a file of events. An event only names a changed object, and
:mod:`.present` reads the object's state. So an entry that is read twice or out of order does no harm.

The first pull notes the journal's newest entry and reads on from there. Older changes come from the streams
``backfill-…``, which search until their windows reach beyond the time of the note. There is a gap if an offset has
expired, a file or an event is not understood, or the subscriptions were changed. Then a new backfill searches the
changes since the last time up to which nothing is missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from connectors.crm.exchange import Send
from connectors.crm.hubspot.tracked import OWNER
from connectors.sources.crm.change import Page
from connectors.sources.crm.hubspot.door import JournalDoor, OffsetRefusedError
from connectors.sources.crm.hubspot.entry import Changed, Entry, JournalFile
from connectors.sources.crm.hubspot.position import (
    RETENTION_MS,
    Backfill,
    Position,
    Waiting,
    backfill_of,
    position_of,
)
from connectors.sources.crm.hubspot.present import Present, PresentReader
from connectors.sources.crm.hubspot.search import ARCHIVED, HubSpotReader
from connectors.sources.crm.window import is_read_to, span_of
from pipeline.clock import Clock
from pipeline.event.duration import DAY_MS
from pipeline.rules.crm import CrmConnection
from pipeline.rules.crm_back import CrmJournal

JOURNAL: Final = "journal"
BACKFILL: Final = "backfill-"
PART: Final = 500
"""Maximum number of objects in one page."""
MAX_WAITING: Final = 2_000
"""Number of waiting objects from which no further entry is read until some of them are due."""
MAX_WAIT_MS: Final = 600_000
"""Maximum wait of an object that keeps changing. Afterwards it is taken although its newest change is young."""
NOTHING: Final[Mapping[tuple[str, str], int]] = MappingProxyType({})


class HubSpotJournalReader:
    """Reads one account by the journal. Implements :class:`~connectors.sources.crm.reader.CrmReader`."""

    owner_field = OWNER

    def __init__(self, connection: CrmConnection, journal: CrmJournal, send: Send, clock: Clock) -> None:
        self._clock, self._door = clock, JournalDoor(connection, journal, send)
        self._search, self._present = HubSpotReader(connection, send, clock), PresentReader(connection, send)
        back = connection.back
        self._span = span_of(back.since_days, back.overlap_minutes, back.delay_seconds, back.step_hours)
        self._at: Position | None = None
        self._file: tuple[Entry, JournalFile] | None = None
        """The entry that is read in part, and its file."""

    def streams(self) -> Sequence[str]:
        """Returns ``journal``, then the streams of the backfill."""
        return [JOURNAL, *(f"{BACKFILL}{one}" for one in self._search.streams())]

    def changes(self, stream: str, cursor: str) -> Page:
        """Returns one page of a stream. Requires ``journal`` first: its cursor states what the backfill searches."""
        if stream != JOURNAL:
            return self._backfilled(stream.removeprefix(BACKFILL), cursor)
        page = self._journal(cursor)
        self._at = position_of(page.cursor)
        return page

    def _journal(self, cursor: str) -> Page:
        now_ms, at = self._clock(), position_of(cursor)
        subscribed_ms = self._door.subscribed_ms(now_ms)
        if at is None:
            return self._begin_at_newest(None, now_ms, now_ms - self._span.since, subscribed_ms)
        if subscribed_ms > at.subscribed_ms:
            return self._gap(at, now_ms, "its subscriptions were changed", subscribed_ms)
        if at.is_out_of_reach(now_ms):
            days = (now_ms - at.reached_ms) / DAY_MS
            why = f"it was read {days:.1f} days ago, and HubSpot keeps {RETENTION_MS // DAY_MS}"
            return self._gap(at, now_ms, why, subscribed_ms)
        if due := [one for one in at.waiting if now_ms >= one.again_ms][:PART]:
            return self._again(at, due, now_ms)
        if len(at.waiting) >= MAX_WAITING:
            return Page((), cursor)
        try:
            return self._next(at, now_ms)
        except OffsetRefusedError:
            return self._refused(at, now_ms)

    def _begin_at_newest(
        self, at: Position | None, now_ms: int, since_ms: int, subscribed_ms: int, gap: str = ""
    ) -> Page:
        """Begins at the journal's newest entry, with a backfill of the older changes since ``since_ms``."""
        position = Position(
            offset=self._door.latest(), reached_ms=now_ms, noted_ms=now_ms, since_ms=since_ms, gap=gap,
            subscribed_ms=subscribed_ms, waiting=at.waiting if at else (),
        )  # fmt: skip
        # After a gap, reading pauses until the next poll: else refusals of every new offset would be a busy loop.
        return Page((), position.text(), more=not gap, gap=gap)

    def _gap(self, at: Position, now_ms: int, why: str, subscribed_ms: int) -> Page:
        """Begins again at the newest entry, with a backfill since the last time up to which nothing is missing."""
        return self._begin_at_newest(
            at, now_ms, at.reached_ms - self._span.overlap, subscribed_ms, f"{why}; a search covers the gap"
        )

    def _refused(self, at: Position, now_ms: int) -> Page:
        """Goes on after a refused offset: at the earliest entry if it may just have expired, else with a gap."""
        if at.restarts or not at.may_have_expired(now_ms):
            return self._gap(at, now_ms, "HubSpot does not know its offset", at.subscribed_ms)
        restarted = replace(at, offset="", offset_ms=0, entry="", part=0, restarts=at.restarts + 1)
        return Page((), restarted.text())

    def _next(self, at: Position, now_ms: int) -> Page:
        """Reads the next part of the next entry."""
        entry, file = self._file or (None, None)
        if entry is None or file is None or entry.offset != at.entry:
            entry = self._door.next(at.offset)
            if entry is None:
                return Page((), replace(at, reached_ms=now_ms, restarts=0 if at.offset else at.restarts).text())
            file = self._door.file(at.offset, entry)
        if file is None:
            return self._skipped(at, entry, now_ms)
        start = at.part if entry.offset == at.entry else 0
        stop = start + PART
        present = self._read(file.changed[start:stop], now_ms)
        if stop < len(file.changed):
            self._file = (entry, file)
            moved = replace(at, entry=entry.offset, part=stop)
            return Page(present.changes, self._with_waiting(moved, present, now_ms).text(), more=True)
        self._file = None
        moved = self._with_waiting(at.after(entry.offset, file.published_ms, now_ms), present, now_ms)
        if not file.unknown:
            return Page(present.changes, moved.text(), more=True)
        gap = f"{file.unknown} events of a file name no object in a form that is known; a search covers the gap"
        return Page(present.changes, self._with_backfill(at, moved, now_ms, gap).text(), more=True, gap=gap)

    def _skipped(self, at: Position, entry: Entry, now_ms: int) -> Page:
        gap = "one of its files is not understood; a search covers the gap"
        moved = self._with_backfill(at, at.after(entry.offset, 0, now_ms), now_ms, gap)
        return Page((), moved.text(), more=True, gap=gap)

    def _with_backfill(self, before: Position, after: Position, now_ms: int, gap: str) -> Position:
        """Returns ``after`` with a backfill of what the entry between the two positions recorded."""
        return replace(after, noted_ms=now_ms, since_ms=before.reached_ms - self._span.overlap, gap=gap)

    def _again(self, at: Position, due: Sequence[Waiting], now_ms: int) -> Page:
        """Reads the objects that are due again: their newest change was too young when they were read before."""
        since = {(one.object_type, one.id): one.since_ms for one in due}
        present = self._read((Changed(one.object_type, one.id, one.at_ms) for one in due), now_ms, since)
        taken = {*due}
        rest = replace(at, waiting=tuple(one for one in at.waiting if one not in taken))
        return Page(present.changes, self._with_waiting(rest, present, now_ms, since).text(), more=True)

    def _read(self, changed: Iterable[Changed], now_ms: int, since: Mapping[tuple[str, str], int] = NOTHING) -> Present:
        def is_young(one: Changed, modified_ms: int) -> bool:
            waited_ms = now_ms - since.get((one.object_type, one.id), now_ms)
            return modified_ms > now_ms - self._span.delay and waited_ms < MAX_WAIT_MS

        return self._present.read((one._replace(at_ms=one.at_ms or now_ms) for one in changed), is_young)

    def _with_waiting(
        self, at: Position, present: Present, now_ms: int, since: Mapping[tuple[str, str], int] = NOTHING
    ) -> Position:
        """Adds the young objects to those that wait. ``since``: when objects that waited before were first read."""
        there = {(one.object_type, one.id) for one in at.waiting}
        more = [
            Waiting(*one, since.get((one.object_type, one.id), now_ms), now_ms + self._span.delay)
            for one in present.young
            if (one.object_type, one.id) not in there
        ]
        return replace(at, waiting=(*at.waiting, *more))

    def _backfilled(self, stream: str, cursor: str) -> Page:
        """Returns a page of a backfill; an empty one once its search has reached beyond ``noted_ms``."""
        at, fill = self._at, backfill_of(cursor)
        if at is None:
            return Page((), cursor)
        gap = ""
        if fill is None or fill.noted_ms != at.noted_ms:
            # A new backfill. It includes what the former one has not finished, or not begun.
            former_ms = self._clock() - self._span.since if fill is None else fill.since_ms
            since_ms = at.since_ms if fill is not None and fill.done else min(at.since_ms, former_ms)
            fill = Backfill(noted_ms=at.noted_ms, since_ms=since_ms, search=self._search.since(stream, since_ms))
            gap = at.gap
        if fill.done:
            return Page((), cursor)
        page = self._search.changes(stream, fill.search)
        # A search may show a change late. So it ends only when it has reached the overlap after the note.
        is_past = stream.startswith(ARCHIVED) or is_read_to(page.cursor, at.noted_ms + self._span.overlap)
        fill = replace(fill, search=page.cursor, done=not page.more and is_past)
        return Page(page.changes, fill.text(), page.more, gap)
