"""What one puller remembers: cursors, objects seen, and what the sink has written to them.

The rows live in a private temporary SQLite database, which spills to disk and is rebuilt from the topics at start. So
the puller's memory does not grow with the number of objects, and no file can disagree with the topics.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from connectors.crm.ledger_row import ERASED, REMOVED, LedgerRow, synced_object
from connectors.crm.temporary_database import temporary_database
from connectors.sources.crm.change import OWNER, Fate, ObjectKind
from connectors.sources.crm.pull_log import StateRow
from connectors.sources.crm.seen import Seen, Written

_encode = msgspec.msgpack.Encoder().encode
_decode_seen = msgspec.msgpack.Decoder(Seen).decode
_decode_cursor = msgspec.msgpack.Decoder(str).decode
_decode_hashes = msgspec.msgpack.Decoder(dict[str, str]).decode


class Memory:
    """The rows of one connection. Implements :class:`~connectors.sources.crm.reader.Known`."""

    def __init__(self, connection: str) -> None:
        self._prefix = connection
        self._rows = temporary_database()
        self._rows.execute(
            "CREATE TABLE seen (key TEXT PRIMARY KEY, kind TEXT, id TEXT, there INTEGER, value BLOB) WITHOUT ROWID"
        )
        self._rows.execute(
            "CREATE TABLE written (action TEXT PRIMARY KEY, object TEXT, id TEXT, at INTEGER, hashes BLOB)"
        )
        self._rows.execute("CREATE INDEX by_id ON written (id)")
        self._rows.execute("CREATE TABLE replaced (id TEXT, hashes BLOB, at INTEGER)")
        self._rows.execute("CREATE INDEX replaced_by_id ON replaced (id)")

    def __len__(self) -> int:
        return int(self._rows.execute("SELECT COUNT(*) FROM seen").fetchone()[0])

    def cursor(self, stream: str) -> str:
        """Returns the committed cursor of a stream; "" without one."""
        value = self._value(f"{self._prefix}/cursor/{stream}")
        return _decode_cursor(value) if value is not None else ""

    def cursor_row(self, stream: str, cursor: str) -> StateRow:
        """Returns the row of a cursor."""
        return StateRow(f"{self._prefix}/cursor/{stream}", _encode(cursor))

    def seen(self, kind: ObjectKind, object_id: str) -> Seen | None:
        """Returns what was last seen of an object."""
        value = self._value(f"{self._prefix}/{kind}/{object_id}")
        return _decode_seen(value) if value is not None else None

    def seen_row(self, seen: Seen) -> StateRow:
        """Returns the row of an object."""
        return StateRow(f"{self._prefix}/{seen.kind}/{seen.id}", _encode(seen))

    def written(self, object_id: str, owner_field: str) -> list[Written]:
        """Returns what the sink has written to an object, one for each action, with the owner as ``OWNER``.

        Includes rows that the last :meth:`note_written` has replaced: the CRM may have been read before that write.
        """
        query = "SELECT hashes, at FROM written WHERE id = ?1 UNION ALL SELECT hashes, at FROM replaced WHERE id = ?1"
        rows = self._rows.execute(query, (object_id,)).fetchall()
        decoded = [(_decode_hashes(hashes), at_ms) for hashes, at_ms in rows]
        return [Written({**hashes, OWNER: hashes.get(owner_field, "")}, at_ms) for hashes, at_ms in decoded]

    def present(self, kind: ObjectKind) -> Iterator[str]:
        """Yields the ids of the objects that were last seen present, or that only the sink knows."""
        query = (
            "SELECT id FROM seen WHERE kind = ?1 AND there UNION SELECT id FROM written WHERE LOWER(object) = ?1"
            " AND NOT EXISTS (SELECT 1 FROM seen WHERE seen.kind = ?1 AND seen.id = written.id)"
        )
        for (object_id,) in self._rows.execute(query, (kind.value,)):
            yield object_id

    def apply(self, rows: Iterable[StateRow]) -> None:
        """Replaces rows, and removes those without a value."""
        self._rows.execute("BEGIN")
        for row in rows:
            if row.value is None:
                self._rows.execute("DELETE FROM seen WHERE key = ?", (row.key,))
                continue
            _, kind, name = row.key.split("/", 2)
            there = int(kind != "cursor" and _decode_seen(row.value).fate is Fate.PRESENT)
            self._rows.execute(
                "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)", (row.key, kind, name, there, row.value)
            )
        self._rows.execute("COMMIT")

    def note_written(self, rows: Iterable[LedgerRow]) -> set[str]:
        """Takes over rows of the sink's ledger. Returns the ids of the objects whose row an erasure has emptied.

        What a removed row had written is still known as the sink's own: the CRM may return that write later.
        """
        gone: set[str] = set()
        self._rows.execute("BEGIN")
        self._rows.execute("DELETE FROM replaced")
        for row in rows:
            action = f"{row.tenant}/{row.action_id}"
            if row.state == REMOVED:
                self._rows.execute("UPDATE written SET object = '' WHERE action = ?", (action,))
                continue
            if row.state == ERASED and not synced_object(row):  # an object that a sync misses is news
                gone |= {one for (one,) in self._rows.execute("SELECT id FROM written WHERE action = ?", (action,))}
            self._rows.execute("INSERT INTO replaced SELECT id, hashes, at FROM written WHERE action = ?", (action,))
            values = (action, row.object, row.object_id, row.written_ms, _encode(row.fields))
            self._rows.execute("INSERT OR REPLACE INTO written VALUES (?, ?, ?, ?, ?)", values)
        self._rows.execute("COMMIT")
        return gone - {""}

    def changed(self, clean: Callable[[Seen], Seen | None]) -> list[StateRow]:
        """Returns the rows that ``clean`` changes or, with None, removes. Reads all rows."""
        rows = self._rows.execute("SELECT key, value FROM seen WHERE kind != 'cursor'")
        read = ((key, _decode_seen(value)) for key, value in rows)
        cleaned = ((key, seen, clean(seen)) for key, seen in read)
        return [StateRow(key, _encode(now) if now else None) for key, seen, now in cleaned if now is not seen]

    def close(self) -> None:
        """Deletes the temporary database."""
        self._rows.close()

    def _value(self, key: str) -> bytes | None:
        row = self._rows.execute("SELECT value FROM seen WHERE key = ?", (key,)).fetchone()
        return bytes(row[0]) if row else None
