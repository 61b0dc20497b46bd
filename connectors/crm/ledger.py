"""The ledger in the memory of one runner: rebuilt from its topic at start, then kept up with each commit.

The rows live in a private temporary SQLite database, which spills to disk. So the runner's memory does not grow with
the number of leads, and no file survives that could disagree with the topic.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final, Protocol

import msgspec

from connectors.crm.ledger_row import ERASED, OPEN, REMOVED, SYNC, LedgerRow
from connectors.crm.temporary_database import temporary_database

MAX_PARAMETERS: Final = 500
_LEAD, _FOLLOWING, _GONE = 1, 2, 3
"""Numbers in the index by profile: an object of a lead, an object that follows a profile, one that it followed."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LedgerRow).decode


class LedgerView(Protocol):
    """What a sink reads: the rows of its own CRM connection."""

    def of_actions(self, tenant: str, action_ids: Collection[str]) -> dict[str, LedgerRow]:
        """Returns action id → row. Omits actions without a row."""
        ...

    def of_profiles(self, tenant: str, profile_ids: Collection[str]) -> dict[str, LedgerRow]:
        """Returns profile id → the profile's row with an object that was written first. Omits others."""
        ...

    def synced(self, tenant: str, profile_ids: Collection[str]) -> list[LedgerRow]:
        """Returns the rows about objects whose fields follow one of these profiles, ordered by object."""
        ...

    def gone(self, tenant: str, profile_ids: Collection[str]) -> list[LedgerRow]:
        """Returns the rows about objects that followed one of these profiles until they were deleted in the CRM."""
        ...

    def on_objects(self, tenant: str, object_ids: Collection[str]) -> list[LedgerRow]:
        """Returns the rows about these objects whose fields follow a profile, ordered by action id."""
        ...

    def followed(self) -> Iterator[tuple[str, str]]:
        """Yields tenant and id of every profile that an object follows, or followed until it was deleted."""
        ...


class Ledger:
    """The rows of one sink. Implements :class:`LedgerView`."""

    def __init__(self) -> None:
        self._rows = temporary_database()
        self._rows.execute(
            "CREATE TABLE ledger (tenant TEXT, action TEXT, profile TEXT, held INTEGER, object TEXT, value BLOB,"
            " PRIMARY KEY (tenant, action)) WITHOUT ROWID"
        )
        self._rows.execute("CREATE INDEX by_profile ON ledger (tenant, profile) WHERE held")
        self._rows.execute("CREATE INDEX by_object ON ledger (tenant, object) WHERE held = 2")

    def __len__(self) -> int:
        return int(self._rows.execute("SELECT COUNT(*) FROM ledger").fetchone()[0])

    def __iter__(self) -> Iterator[LedgerRow]:
        """Yields every row, ordered by tenant and action id."""
        for (value,) in self._rows.execute("SELECT value FROM ledger ORDER BY tenant, action"):
            yield _decode(value)

    def apply(self, rows: Iterable[LedgerRow]) -> None:
        """Replaces and removes rows. A row of a lower revision never replaces one of a higher."""
        self._rows.execute("BEGIN")
        for row in rows:
            if row.state == REMOVED:
                self._rows.execute("DELETE FROM ledger WHERE tenant = ? AND action = ?", (row.tenant, row.action_id))
                continue
            before = self.of_actions(row.tenant, [row.action_id]).get(row.action_id)
            if before is None or before.revision <= row.revision:
                held = _held(row)
                object_id = row.object_id if held == _FOLLOWING else None
                self._rows.execute(
                    "INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?, ?, ?)",
                    (row.tenant, row.action_id, row.profile_id, held, object_id, _encode(row)),
                )
        self._rows.execute("COMMIT")

    def of_actions(self, tenant: str, action_ids: Collection[str]) -> dict[str, LedgerRow]:
        """Returns action id → row. Omits actions without a row."""
        return {row.action_id: row for row in self._select("action", tenant, action_ids)}

    def of_profiles(self, tenant: str, profile_ids: Collection[str]) -> dict[str, LedgerRow]:
        """Returns profile id → the profile's row with an object that was written first. Omits others."""
        rows = list(self._select("held AND held = 1 AND profile", tenant, profile_ids, "by_profile"))
        rows.sort(key=lambda row: (row.written_ms, row.action_id), reverse=True)
        return {row.profile_id: row for row in rows}

    def synced(self, tenant: str, profile_ids: Collection[str]) -> list[LedgerRow]:
        """Returns the rows about objects whose fields follow one of these profiles, ordered by object."""
        return self._ordered("held AND held = 2 AND profile", tenant, profile_ids, "by_profile")

    def gone(self, tenant: str, profile_ids: Collection[str]) -> list[LedgerRow]:
        """Returns the rows about objects that followed one of these profiles until they were deleted in the CRM."""
        return self._ordered("held AND held = 3 AND profile", tenant, profile_ids, "by_profile")

    def on_objects(self, tenant: str, object_ids: Collection[str]) -> list[LedgerRow]:
        """Returns the rows about these objects whose fields follow a profile, ordered by action id."""
        return self._ordered("held = 2 AND object", tenant, object_ids, "by_object")

    def followed(self) -> Iterator[tuple[str, str]]:
        """Yields tenant and id of every profile that an object follows, or followed until it was deleted."""
        yield from self._rows.execute("SELECT DISTINCT tenant, profile FROM ledger WHERE held AND held >= 2").fetchall()

    def close(self) -> None:
        """Deletes the temporary database."""
        self._rows.close()

    def _ordered(self, column: str, tenant: str, values: Collection[str], index: str) -> list[LedgerRow]:
        return sorted(self._select(column, tenant, values, index), key=lambda row: row.action_id)

    def _select(self, column: str, tenant: str, values: Collection[str], index: str = "") -> Iterator[LedgerRow]:
        wanted = list(values)
        # Without the name of the index, SQLite reads all rows of the tenant by the primary key.
        table = f"ledger INDEXED BY {index}" if index else "ledger"
        for start in range(0, len(wanted), MAX_PARAMETERS):
            part = wanted[start : start + MAX_PARAMETERS]
            marks = ",".join("?" * len(part))
            query = f"SELECT value FROM {table} WHERE tenant = ? AND {column} IN ({marks})"  # noqa: S608  no values inside
            for (value,) in self._rows.execute(query, (tenant, *part)).fetchall():
                yield _decode(value)


def _held(row: LedgerRow) -> int:
    """Returns the number of a row in the index by profile; 0 keeps it out."""
    if row.object_id:
        return {OPEN: _LEAD, SYNC: _FOLLOWING}.get(row.state, 0)
    return _GONE if row.state == ERASED and row.profile_id else 0
