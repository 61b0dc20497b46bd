"""Segment changes: every entry and exit."""

from sqlalchemy import Connection

from pipeline.avro.wire import Writer
from pipeline.serve.model import tables
from pipeline.serve.model.kinds.kind import FeedEntry, Records
from pipeline.serve.model.kinds.tolerant import Skipped, TolerantDecoder
from pipeline.serve.model.rows import upsert
from pipeline.topics import SEGMENTS


class SegmentChanges:
    """Keeps the records of the topic of segment changes, each event id once."""

    topic = SEGMENTS

    def __init__(self, writer: Writer, skipped: Skipped) -> None:
        self._decoder = TolerantDecoder(SEGMENTS, writer, skipped)

    def apply(self, connection: Connection, records: Records) -> list[FeedEntry]:
        """Adds the records."""
        rows, feed = [], []
        for _, change in self._decoder.values(records):
            known = ("event_id", "tenant", "profile_id", "segment", "change", "timestamp_ms")
            rows.append({name: change[name] for name in known})
            facts = {name: change[name] for name in ("segment", "change", "timestamp_ms")}
            feed.append(FeedEntry("segment", change["tenant"], change["profile_id"], facts))
        upsert(connection, tables.segment_changes, rows)
        return feed
