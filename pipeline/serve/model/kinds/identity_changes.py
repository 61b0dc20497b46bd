"""Identity changes: the public log of merges, splits, and what an operator or a limit decided."""

from sqlalchemy import Connection

from pipeline.avro.wire import Writer
from pipeline.serve.model import tables
from pipeline.serve.model.kinds.kind import FeedEntry, Records, json_bytes
from pipeline.serve.model.kinds.markings import Erasures
from pipeline.serve.model.kinds.tolerant import Skipped, TolerantDecoder
from pipeline.serve.model.rows import upsert
from pipeline.topics import CHANGES


class IdentityChanges:
    """Keeps every record of the topic of identity changes."""

    topic = CHANGES

    def __init__(self, writer: Writer, skipped: Skipped, erasures: Erasures) -> None:
        self._erasures = erasures
        self._decoder = TolerantDecoder(CHANGES, writer, skipped)

    def apply(self, connection: Connection, records: Records) -> list[FeedEntry]:
        """Adds the records that mention nothing erased. Merges and splits are changes for the feed."""
        rows, feed = [], []
        for record, change in self._decoder.values(records):
            if self._erasures.change_is_erased(connection, change):
                continue
            known = ("tenant", "seq", "change", "profile_id", "other_profile_id", "timestamp_ms")
            place = {"partition": record.partition(), "offset": record.offset()}
            rows.append({**place, **{name: change[name] for name in known}, "body": json_bytes(change)})
            facts = {name: change[name] for name in ("change", "other_profile_id", "reason")}
            feed.append(FeedEntry("identity", change["tenant"], change["profile_id"], facts))
        upsert(connection, tables.identity_changes, rows)
        return feed
