"""The figures and the feed of the overview."""

from operator import attrgetter
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from pipeline.profile.row import ACTIVE
from pipeline.serve.console.data.lines import line_of
from pipeline.serve.console.views import CustomerLine, Happening, ReadState, Totals
from pipeline.serve.model import tables
from pipeline.serve.read.reads import Reads

MERGED, SPLIT = "merged", "split"
SILENCE_MS: Final = 15_000
"""A writer reports every second; one that has not for so long is not running."""


class OverviewData:
    """Counts and newest records of the read model."""

    def __init__(self, reads: Reads) -> None:
        self._reads, self._store = reads, reads.context.store

    def totals(self, tenant: str) -> Totals:
        """Returns the totals of a tenant, and how far the read model is."""
        return Totals(**msgspec.structs.asdict(self._reads.overview.totals(tenant)), state=self.state())

    def state(self) -> ReadState:
        """Returns how far the read model is."""
        progress, now_ms = self._reads.overview.progress(), self._reads.context.clock()
        return ReadState(
            is_followed=now_ms - progress.written_ms <= SILENCE_MS,
            is_complete=progress.caught_up_ms > 0,
            behind_records=progress.lag_records,
            written_ms=progress.written_ms,
        )

    def happenings(self, tenant: str, limit: int) -> list[Happening]:
        """Returns the newest merges, splits and leads, newest first.

        Half of them are leads. Merges have the time of their event and leads that of their decision, so without shares
        of their own merges of delayed events would never be seen.
        """
        with self._store.reading() as connection:
            leads = _leads(connection, tenant, limit // 2)
            found = [*_identity(connection, tenant, limit - len(leads)), *leads]
        return sorted(found, key=attrgetter("timestamp_ms"), reverse=True)

    def segment_moves(self, tenant: str, limit: int) -> list[Happening]:
        """Returns the newest entries and exits of segments, newest first."""
        with self._store.reading() as connection:
            return _segments(connection, tenant, limit)

    def hottest(self, tenant: str, limit: int) -> list[CustomerLine]:
        """Returns the active profiles with the highest scores, as last published."""
        profiles = tables.profiles.c
        statement = (
            select(profiles.body)
            .where(profiles.tenant == tenant, profiles.status == ACTIVE)
            .order_by(profiles.top_score.desc(), profiles.profile_id.desc())
            .limit(limit)
        )
        with self._store.reading() as connection:
            return [line_of(msgspec.json.decode(body)) for body in connection.execute(statement).scalars()]


def _identity(connection: Connection, tenant: str, limit: int) -> list[Happening]:
    changes = tables.identity_changes.c
    statement = (
        select(changes.change, changes.timestamp_ms, changes.profile_id, changes.other_profile_id)
        .where(changes.tenant == tenant, changes.change.in_((MERGED, SPLIT)))
        .order_by(changes.seq.desc())
        .limit(limit)
    )
    return [
        Happening(row.change, row.timestamp_ms, row.profile_id, _other(row)) for row in connection.execute(statement)
    ]


def _other(row: Any) -> str:
    verb = "with" if row.change == MERGED else "from it"
    return f"{verb} {row.other_profile_id[:8]}"


def _leads(connection: Connection, tenant: str, limit: int) -> list[Happening]:
    leads = tables.leads.c
    statement = (
        select(leads.kind, leads.timestamp_ms, leads.profile_id, leads.trigger)
        .where(leads.tenant == tenant)
        .order_by(leads.timestamp_ms.desc(), leads.action_id.desc())
        .limit(limit)
    )
    return [Happening(*row) for row in connection.execute(statement)]


def _segments(connection: Connection, tenant: str, limit: int) -> list[Happening]:
    changes = tables.segment_changes.c
    statement = (
        select(changes.change, changes.timestamp_ms, changes.profile_id, changes.segment)
        .where(changes.tenant == tenant)
        .order_by(changes.timestamp_ms.desc())
        .limit(limit)
    )
    return [Happening(*row) for row in connection.execute(statement)]
