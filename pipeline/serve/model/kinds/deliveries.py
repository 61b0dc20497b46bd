"""The CRM ledger: what each CRM holds for an action."""

from typing import Any

from sqlalchemy import Connection

from pipeline.avro.wire import Writer
from pipeline.serve.model import tables
from pipeline.serve.model.kinds.kind import FeedEntry, Records, json_bytes, key_text
from pipeline.serve.model.kinds.tolerant import Skipped, TolerantDecoder
from pipeline.serve.model.rows import delete_where, upsert
from pipeline.topics import LEDGER


class Deliveries:
    """Folds the CRM ledger."""

    topic = LEDGER

    def __init__(self, writer: Writer, skipped: Skipped) -> None:
        self._decoder = TolerantDecoder(LEDGER, writer, skipped)

    def apply(self, connection: Connection, records: Records) -> list[FeedEntry]:
        """Keeps the newest row of each sink and action. A tombstone deletes it."""
        newest = {key_text(record): row for record, row in self._decoder.each(records)}
        rows, gone = list[dict[str, Any]](), list[dict[str, Any]]()
        for key, row in newest.items():
            sink, _, rest = key.partition("/")
            tenant, _, action_id = rest.partition("/")
            if action_id.startswith("sync:"):  # a record that follows a profile: no delivery of an action
                continue
            place = {"tenant": tenant, "action_id": action_id, "sink": sink}
            if row is None:
                gone.append(place)
            else:
                rows.append({**place, "body": json_bytes(row)})
        delete_where(connection, tables.deliveries, gone)
        upsert(connection, tables.deliveries, rows)
        return []
