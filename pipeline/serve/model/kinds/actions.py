"""CRM actions: every revision, and the highest of each action."""

from typing import Any

from sqlalchemy import Connection, delete, select

from pipeline.avro.wire import Writer
from pipeline.serve.model import tables
from pipeline.serve.model.kinds.kind import FeedEntry, Records, json_bytes
from pipeline.serve.model.kinds.tolerant import Skipped, TolerantDecoder
from pipeline.serve.model.rows import in_parts, upsert
from pipeline.topics import ACTIONS
from pipeline.trigger.action import ERASE


class CrmActions:
    """Folds the topic of CRM actions. Revisions of one action may be on several partitions, in any order."""

    topic = ACTIONS

    def __init__(self, writer: Writer, skipped: Skipped) -> None:
        self._decoder = TolerantDecoder(ACTIONS, writer, skipped)

    def apply(self, connection: Connection, records: Records) -> list[FeedEntry]:
        """Adds the revisions and keeps the highest of each action as the lead."""
        revisions, feed = list[dict[str, Any]](), list[FeedEntry]()
        for _, action in self._decoder.values(records):
            facts = ("action_id", "revision", "kind", "trigger", "owner", "score", "duplicate_of")
            feed.append(
                FeedEntry("lead", action["tenant"], action["profile_id"], {name: action[name] for name in facts})
            )
            known = [column.name for column in tables.leads.columns if column.name != "body"]
            revisions.append({**{name: action[name] for name in known}, "body": json_bytes(action)})
        stored = [{name: row[name] for name in ("tenant", "action_id", "revision", "body")} for row in revisions]
        upsert(connection, tables.actions, stored)
        upsert(connection, tables.leads, revisions, newest_by="revision")
        _forget_erased(connection, {row["action_id"] for row in revisions})
        return feed


def _forget_erased(connection: Connection, action_ids: set[str]) -> None:
    """Deletes the revisions of leads before they were erased, whichever was read first."""
    leads, actions = tables.leads.c, tables.actions.c
    erased = select(leads.tenant, leads.action_id, leads.revision).where(leads.kind == ERASE)
    for part in in_parts(sorted(action_ids)):
        for tenant, action_id, revision in connection.execute(erased.where(leads.action_id.in_(part))).all():
            of_lead = (actions.tenant == tenant, actions.action_id == action_id)
            connection.execute(delete(tables.actions).where(*of_lead, actions.revision < revision))
