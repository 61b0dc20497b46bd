"""PROFILE's changelog: the ledgers of each profile, from which timelines, scores and journeys are read."""

from typing import Final

from sqlalchemy import Connection

from pipeline.query.profiles import decode_row
from pipeline.serve.model import tables
from pipeline.serve.model.kinds.kind import FeedEntry, Records
from pipeline.serve.model.rows import delete_where, upsert
from pipeline.state import layout
from pipeline.state.partition import change_of, changelog_key
from pipeline.state.store import Change
from pipeline.topics import CHANGELOGS, StageName

_PREFIX: Final = changelog_key(Change(layout.PROFILES, b"", None))


class ProfileStates:
    """Folds the changelog of PROFILE. Ignores its timers and watermarks."""

    topic = CHANGELOGS[StageName.PROFILE]

    def apply(self, connection: Connection, records: Records) -> list[FeedEntry]:
        """Keeps the newest row of each profile.

        Raises:
            RowFormatError: a row is of another version.
        """
        newest: dict[str, bytes | None] = {}
        for record in records:
            key = record.key()
            if isinstance(key, bytes) and key.startswith(_PREFIX):
                change = change_of(key, record.value())
                newest[change.key.decode()] = change.value
        rows = []
        for profile_id, state in newest.items():
            if state is not None:
                row = decode_row(state)
                rows.append(
                    {
                        "profile_id": profile_id,
                        "tenant": row.tenant,
                        "is_current": bool(row.anchors),
                        "state": state,
                    }
                )
        gone = [{"profile_id": profile_id} for profile_id, state in newest.items() if state is None]
        delete_where(connection, tables.profile_states, gone)
        upsert(connection, tables.profile_states, rows)
        return []
