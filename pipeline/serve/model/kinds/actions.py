"""CRM actions: every revision, and the highest of each action."""

from typing import Any

from sqlalchemy import Connection

from pipeline.avro.wire import Writer
from pipeline.serve.model import tables
from pipeline.serve.model.kinds.kind import FeedEntry, Records, json_bytes
from pipeline.serve.model.kinds.markings import Erasures
from pipeline.serve.model.kinds.tolerant import Skipped, TolerantDecoder
from pipeline.serve.model.rows import upsert
from pipeline.topics import ACTIONS


class CrmActions:
    """Folds the topic of CRM actions. Revisions of one action may be on several partitions, in any order."""

    topic = ACTIONS

    def __init__(self, writer: Writer, skipped: Skipped, erasures: Erasures) -> None:
        self._erasures = erasures
        self._decoder = TolerantDecoder(ACTIONS, writer, skipped)

    def apply(self, connection: Connection, records: Records) -> list[FeedEntry]:
        """Adds the revisions and keeps the highest of each action as the lead."""
        revisions, feed = list[dict[str, Any]](), list[FeedEntry]()
        for _, action in self._decoder.values(records):
            if self._erasures.action_is_erased(connection, action):
                continue
            facts = ("action_id", "revision", "kind", "trigger", "owner", "score", "duplicate_of")
            feed.append(
                FeedEntry("lead", action["tenant"], action["profile_id"], {name: action[name] for name in facts})
            )
            known = [column.name for column in tables.leads.columns if column.name != "body"]
            revisions.append({**{name: action[name] for name in known}, "body": json_bytes(action)})
        stored = [{name: row[name] for name in ("tenant", "action_id", "revision", "body")} for row in revisions]
        upsert(connection, tables.actions, stored)
        upsert(connection, tables.leads, revisions, newest_by="revision")
        return feed
