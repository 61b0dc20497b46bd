"""The DLQ topics: facts of each quarantined record. Its bytes stay on the topic."""

from typing import cast

import msgspec
from confluent_kafka import Message
from sqlalchemy import Connection, delete

from pipeline.query.quarantine import entry_of
from pipeline.serve.model import tables
from pipeline.serve.model.kinds.kind import FeedEntry, Records, json_bytes
from pipeline.serve.model.rows import upsert
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
        """Adds the records. A record that another program wrote has no facts."""
        rows = []
        for record in records:
            entry = entry_of(cast("Message", record))
            rows.append(
                {
                    "topic": self.topic.name,
                    "partition": record.partition(),
                    "offset": record.offset(),
                    "quarantined_ms": record.timestamp()[1],
                    "reason": entry.reason,
                    "stage": entry.stage,
                    "body": json_bytes(msgspec.structs.asdict(entry)),
                }
            )
        upsert(connection, tables.quarantine, rows)
        return []
