"""Assignments: the profile that each identifier belongs to."""

from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from pipeline.event.identifier import split_key
from pipeline.identity.messages import Assignment
from pipeline.serve.model import tables
from pipeline.serve.model.kinds.kind import FeedEntry, Records, key_text
from pipeline.serve.model.rows import delete_where, upsert
from pipeline.topics import ASSIGNMENTS

CONTROL: Final = "\0"
"""First character of the keys of watermarks, which replays with the clock "stream" leave on the topic."""
_ASSIGNMENT: Final = msgspec.msgpack.Decoder(Assignment).decode


class Assignments:
    """Folds the topic of assignments."""

    topic = ASSIGNMENTS

    def apply(self, connection: Connection, records: Records) -> list[FeedEntry]:
        """Keeps the newest assignment of each identifier. A tombstone deletes it."""
        newest: dict[str, bytes | None] = {key_text(record): record.value() for record in records}
        for key in [key for key in newest if key.startswith(CONTROL)]:
            del newest[key]
        rows, gone = list[dict[str, Any]](), list[dict[str, Any]]()
        for key, value in newest.items():
            tenant, ident = split_key(key)
            if value is None:
                gone.append({"tenant": tenant, "identifier": ident})
            else:
                assignment = _ASSIGNMENT(value)
                owner = {"profile_id": assignment.profile_id, "seq": assignment.seq}
                rows.append({"tenant": tenant, "identifier": ident, **owner})
        delete_where(connection, tables.identifiers, gone)
        upsert(connection, tables.identifiers, rows)
        return []
