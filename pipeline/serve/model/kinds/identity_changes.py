"""Identity changes: the public log of merges, splits, and what an operator or a limit decided."""

from typing import Final

from sqlalchemy import Connection, delete, func, or_, select

from pipeline.avro.wire import Writer
from pipeline.serve.model import tables
from pipeline.serve.model.kinds.kind import FeedEntry, Records, json_bytes
from pipeline.serve.model.kinds.tolerant import Skipped, TolerantDecoder
from pipeline.serve.model.rows import in_parts, upsert
from pipeline.topics import CHANGES

ERASED: Final = "erased"


class IdentityChanges:
    """Keeps the records of the topic of identity changes, but those of profiles that were erased since."""

    topic = CHANGES

    def __init__(self, writer: Writer, skipped: Skipped) -> None:
        self._decoder = TolerantDecoder(CHANGES, writer, skipped)

    def apply(self, connection: Connection, records: Records) -> list[FeedEntry]:
        """Adds the records. Merges and splits are changes for the feed."""
        rows, feed = [], []
        for record, change in self._decoder.values(records):
            known = ("tenant", "seq", "change", "profile_id", "other_profile_id", "timestamp_ms")
            place = {"partition": record.partition(), "offset": record.offset()}
            rows.append({**place, **{name: change[name] for name in known}, "body": json_bytes(change)})
            facts = {name: change[name] for name in ("change", "other_profile_id", "reason")}
            feed.append(FeedEntry("identity", change["tenant"], change["profile_id"], facts))
        upsert(connection, tables.identity_changes, rows)
        _forget_erased(connection, {row[name] for row in rows for name in ("profile_id", "other_profile_id")} - {""})
        return feed


def _forget_erased(connection: Connection, profile_ids: set[str]) -> None:
    """Deletes what was recorded of profiles before they were erased, whichever record was read first."""
    changes = tables.identity_changes.c
    newest = select(changes.tenant, changes.profile_id, func.max(changes.seq)).where(changes.change == ERASED)
    newest = newest.group_by(changes.tenant, changes.profile_id)
    for part in in_parts(sorted(profile_ids)):
        for tenant, profile_id, seq in connection.execute(newest.where(changes.profile_id.in_(part))).all():
            concerns = or_(changes.profile_id == profile_id, changes.other_profile_id == profile_id)
            older = delete(tables.identity_changes).where(changes.tenant == tenant, changes.seq < seq, concerns)
            connection.execute(older)
