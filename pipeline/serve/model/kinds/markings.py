"""Markings: what was erased. Rows that mention an erased identifier and are older than its erasure are deleted.

The model's other tables follow the tombstones and updates that the stages write. Logs of decisions and actions have no
tombstones, so they are cleaned here. Records that are read later, as after a rebuild, are checked when they arrive, so
that the result does not depend on which is read first.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from pipeline.event.erasure import NO_DECISION, Mark, Marking, digest_of
from pipeline.serve.model import tables
from pipeline.serve.model.kinds.kind import FeedEntry, Records
from pipeline.serve.model.rows import delete_where, upsert
from pipeline.topics import MARKS

_MARKING: Final = msgspec.msgpack.Decoder(Marking).decode
_NO_MARK: Final = Mark()


class Erasures:
    """The marks of all erased identifiers, in memory and in the database. One object is shared by the kinds."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, bytes], Mark] | None = None

    def forget(self) -> None:
        """Drops the marks in memory: the transaction that added them may not have been committed."""
        self._marks = None

    def change_is_erased(self, connection: Connection, change: dict[str, Any]) -> bool:
        """Returns whether an identity change mentions an identifier that was erased by a later decision."""
        marks = self._of(connection, change["tenant"], (*change["identifiers"], change["founder"]))
        return any(change["seq"] <= mark.erased_seq for mark in marks)

    def action_is_erased(self, connection: Connection, action: dict[str, Any]) -> bool:
        """Returns whether a CRM action mentions an identifier that was erased after its decision."""
        marks = self._of(connection, action["tenant"], action["identifiers"])
        return any(action["timestamp_ms"] <= mark.erased_ms for mark in marks if mark.erased_seq != NO_DECISION)

    def add(self, connection: Connection, markings: Iterable[Marking]) -> set[str]:
        """Stores markings that erase. Returns their tenants."""
        marks, changed = self._all(connection), dict[tuple[str, bytes], Mark]()
        for marking in markings:
            for digest in (*marking.people, *marking.others):
                mark = changed[marking.tenant, digest] = marks.setdefault((marking.tenant, digest), Mark())
                mark.apply(marking, names_person=True)
        rows = [
            {"tenant": tenant, "digest": digest, "erased_seq": mark.erased_seq, "erased_ms": mark.erased_ms}
            for (tenant, digest), mark in changed.items()
        ]
        upsert(connection, tables.erasures, rows)
        return {tenant for tenant, _ in changed}

    def _of(self, connection: Connection, tenant: str, identifiers: Iterable[str]) -> list[Mark]:
        marks = self._all(connection)
        if not marks:
            return []
        return [marks.get((tenant, digest_of(tenant, ident)), _NO_MARK) for ident in identifiers]

    def _all(self, connection: Connection) -> dict[tuple[str, bytes], Mark]:
        if self._marks is None:
            self._marks = {
                (row.tenant, bytes(row.digest)): Mark(row.erased_seq, row.erased_ms)
                for row in connection.execute(select(tables.erasures))
            }
        return self._marks


class Markings:
    """Folds the topic of marks."""

    topic = MARKS

    def __init__(self, erasures: Erasures) -> None:
        self._erasures = erasures

    def apply(self, connection: Connection, records: Records) -> list[FeedEntry]:
        """Stores erasures, and deletes the older rows that mention what was erased. Reads all rows of the tenant."""
        markings = [_MARKING(record.value()) for record in records if record.value() is not None]
        for tenant in sorted(self._erasures.add(connection, [item for item in markings if item.kind == "erase"])):
            self._delete_changes(connection, tenant)
            self._delete_actions(connection, tenant)
        return []

    def _delete_changes(self, connection: Connection, tenant: str) -> None:
        table = tables.identity_changes.c
        rows = connection.execute(select(table.partition, table.offset, table.body).where(table.tenant == tenant))
        gone = [
            {"partition": row.partition, "offset": row.offset}
            for row in rows
            if self._erasures.change_is_erased(connection, msgspec.json.decode(row.body))
        ]
        delete_where(connection, tables.identity_changes, gone)

    def _delete_actions(self, connection: Connection, tenant: str) -> None:
        """Deletes revisions. A lead is the newest revision: if it is erased, so are all others."""
        table = tables.actions.c
        rows = connection.execute(select(table.action_id, table.revision, table.body).where(table.tenant == tenant))
        gone = [
            {"tenant": tenant, "action_id": row.action_id, "revision": row.revision}
            for row in rows
            if self._erasures.action_is_erased(connection, msgspec.json.decode(row.body))
        ]
        delete_where(connection, tables.actions, gone)
        delete_where(connection, tables.leads, gone)
