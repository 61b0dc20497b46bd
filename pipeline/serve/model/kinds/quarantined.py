"""The DLQ topics: facts of each quarantined record. Its bytes stay on the topic."""

from typing import cast

import msgspec
from confluent_kafka import Message
from sqlalchemy import Connection, delete

from pipeline.query.quarantine import entry_of
from pipeline.serve.model import tables
from pipeline.serve.model.kinds.kind import FeedEntry, Records, json_bytes
from pipeline.serve.model.rows import delete_where, upsert
from pipeline.topics import Topic


def forget_deleted(connection: Connection, topic: str, partition: int, earliest: int) -> None:
    """Deletes the rows of records that a DLQ topic's retention has deleted: their details may be personal data."""
    table = tables.quarantine
    place = (table.c.topic == topic, table.c.partition == partition)
    connection.execute(delete(table).where(*place, table.c.offset < earliest))


class Quarantined:
    """Keeps the facts of every record of one DLQ topic."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic

    def apply(self, connection: Connection, records: Records) -> list[FeedEntry]:
        """Adds the records. A record that another program wrote has no facts.

        Of an item that was sent again the newest record stays: retention deletes it last.
        """
        rows: dict[object, dict[str, object]] = {}
        for record in records:
            entry = entry_of(cast("Message", record))
            rows[entry.item or (record.partition(), record.offset())] = {
                "topic": self.topic.name,
                "partition": record.partition(),
                "offset": record.offset(),
                "quarantined_ms": record.timestamp()[1],
                "reason": entry.reason,
                "stage": entry.stage,
                "item": entry.item,
                "body": json_bytes(msgspec.structs.asdict(entry)),
            }
        delete_where(connection, tables.quarantine, [{"item": row["item"]} for row in rows.values() if row["item"]])
        upsert(connection, tables.quarantine, list(rows.values()))
        return []
