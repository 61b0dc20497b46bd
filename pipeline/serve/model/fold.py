"""Folds records of all followed topics into the tables, within the caller's database transaction."""

from collections.abc import Iterable

from sqlalchemy import Connection

from pipeline.avro.wire import Writer
from pipeline.kafka.follow import Place
from pipeline.serve.model import tables
from pipeline.serve.model.feed import add_to_feed
from pipeline.serve.model.kinds.actions import CrmActions
from pipeline.serve.model.kinds.assignments import Assignments
from pipeline.serve.model.kinds.deliveries import Deliveries
from pipeline.serve.model.kinds.identity_changes import IdentityChanges
from pipeline.serve.model.kinds.kind import FeedEntry, FollowedRecord, Kind
from pipeline.serve.model.kinds.markings import Erasures, Markings
from pipeline.serve.model.kinds.nodes import Nodes
from pipeline.serve.model.kinds.profile_states import ProfileStates
from pipeline.serve.model.kinds.profiles import ProfileUpdates
from pipeline.serve.model.kinds.quarantined import Quarantined
from pipeline.serve.model.kinds.segment_changes import SegmentChanges
from pipeline.serve.model.kinds.tolerant import Skipped
from pipeline.serve.model.rows import upsert
from pipeline.topics import ACTION_DLQ, DLQ


class Fold:
    """Every kind of record of one deployment."""

    def __init__(self, writer: Writer, prefix: str) -> None:
        self.skipped = Skipped()
        """Records that are none of their topic's schema."""
        self._erasures = Erasures()
        kinds: tuple[Kind, ...] = (
            ProfileUpdates(writer, self.skipped),
            ProfileStates(),
            Assignments(),
            Nodes(),
            Markings(self._erasures),
            IdentityChanges(writer, self.skipped, self._erasures),
            SegmentChanges(writer, self.skipped),
            CrmActions(writer, self.skipped, self._erasures),
            Deliveries(writer, self.skipped),
            Quarantined(DLQ),
            Quarantined(ACTION_DLQ),
        )
        self._kinds = {kind.topic.of(prefix): kind for kind in kinds}
        self.topics = tuple(self._kinds)
        """Full names of the topics to follow."""

    def apply(self, connection: Connection, records: Iterable[FollowedRecord], *, into_feed: bool) -> None:
        """Applies records, those of one partition in their order. ``into_feed``: whether subscribers are notified.

        Raises:
            RowFormatError: a changelog row is of another version.
            RegistryError: the schema registry did not answer or refused.
        """
        self._erasures.forget()
        by_topic: dict[str, list[FollowedRecord]] = {}
        for record in records:
            by_topic.setdefault(record.topic() or "", []).append(record)
        entries: list[FeedEntry] = []
        for topic in sorted(by_topic):
            entries += self._kinds[topic].apply(connection, by_topic[topic])
        if into_feed:
            add_to_feed(connection, entries)

    def set_positions(self, connection: Connection, positions: dict[Place, int]) -> None:
        """Stores the next offset of each partition."""
        rows = [
            {"topic": topic, "partition": partition, "next_offset": offset}
            for (topic, partition), offset in positions.items()
        ]
        upsert(connection, tables.offsets, rows)
