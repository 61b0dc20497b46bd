"""The newest state of every profile, reduced to what the CRM should hold, and which profiles have to be compared.

It lives in a private temporary SQLite database, which spills to disk and is read from the compacted topic at start. So
memory does not grow with the number of customers, no file can disagree with the topic, and no position is kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from connectors.crm.sync.wanted import ACTIVE, wanted_of
from connectors.crm.temporary_database import temporary_database
from pipeline.rules.crm import CrmConnection

MAX_HOPS: Final = 32
"""Merges in a row that are followed."""
_encode = msgspec.msgpack.Encoder().encode
_decode_fields = msgspec.msgpack.Decoder(dict[str, str]).decode
_decode_ids = msgspec.msgpack.Decoder(list[str]).decode


class Due(NamedTuple):
    """A profile that has to be compared."""

    profile_id: str
    tenant: str
    tries: int


class Profile(NamedTuple):
    """The newest state of a profile."""

    profile_id: str
    tenant: str
    into: str
    """The profile that continues it; "" if it is active, empty or deleted."""
    is_active: bool
    fields: Mapping[str, str]
    """Field → text; empty without consent, so that every field is blank."""
    crm_ids: Sequence[str]
    """Ids of objects of the CRM, as the way back has linked them."""


class Board:
    """The profiles of one connection."""

    def __init__(self, connection: CrmConnection) -> None:
        self._connection = connection
        self._prefix = f"{connection.back.identifier}:"
        self._is_adopting = True
        self._rows = temporary_database()
        self._rows.execute(
            "CREATE TABLE profiles (id TEXT PRIMARY KEY, tenant TEXT, version INTEGER, status TEXT, into_ TEXT,"
            " fields BLOB, ids BLOB, due INTEGER, tries INTEGER DEFAULT 0) WITHOUT ROWID"
        )
        self._rows.execute("CREATE INDEX by_due ON profiles (due) WHERE due IS NOT NULL")
        self._rows.execute("CREATE INDEX by_into ON profiles (into_) WHERE into_ != ''")

    def __len__(self) -> int:
        return int(self._rows.execute("SELECT COUNT(*) FROM profiles WHERE tenant != ''").fetchone()[0])

    def apply(self, updates: Iterable[tuple[str, Mapping[str, Any] | None]]) -> list[str]:
        """Takes over records of the profile updates, by profile id; None is a deleted profile. Older ones are ignored.

        A profile is due if its fields, its ids or its status have changed. Returns the profiles whose traits or consent
        are no JSON object; their former state stays.
        """
        unreadable: list[str] = []
        self._rows.execute("BEGIN")
        for profile_id, update in updates:
            if update is None:
                self._delete(profile_id)
            elif self._takes(update):
                try:
                    self._put(profile_id, update)
                except msgspec.MsgspecError:
                    unreadable.append(profile_id)
        self._rows.execute("COMMIT")
        return unreadable

    def adopt(self, followed: Iterable[tuple[str, str]]) -> None:
        """Makes deleted profiles due of which only the tombstone was read. Call it once, when all profiles are read.

        ``followed`` are tenants and ids of the profiles that objects follow.
        """
        self._rows.execute("BEGIN")
        self._rows.executemany("UPDATE profiles SET tenant = ?, due = 0 WHERE id = ? AND tenant = ''", followed)
        self._rows.execute("DELETE FROM profiles WHERE tenant = ''")
        self._rows.execute("COMMIT")
        self._is_adopting = False

    def mark(self, profile_ids: Iterable[str]) -> None:
        """Makes profiles due now."""
        marked = [(profile_id,) for profile_id in profile_ids]
        self._rows.executemany("UPDATE profiles SET due = 0, tries = 0 WHERE id = ?", marked)

    def mark_all(self) -> None:
        """Makes every profile due now."""
        self._rows.execute("UPDATE profiles SET due = 0, tries = 0")

    def settle(self, profile_id: str) -> None:
        """Notes that the CRM holds what it should of a profile, or that it never will."""
        self._rows.execute("UPDATE profiles SET due = NULL, tries = 0 WHERE id = ?", (profile_id,))

    def postpone(self, profile_id: str, due_ms: int, *, tries: int) -> None:
        """Compares a profile again at ``due_ms``."""
        self._rows.execute("UPDATE profiles SET due = ?, tries = ? WHERE id = ?", (due_ms, tries, profile_id))

    def due(self, now_ms: int, limit: int) -> list[Due]:
        """Returns at most ``limit`` profiles that are due, those that wait longest first."""
        query = "SELECT id, tenant, tries FROM profiles WHERE due <= ? ORDER BY due, id LIMIT ?"
        return [Due(*row) for row in self._rows.execute(query, (now_ms, limit))]

    def open(self) -> int:
        """Returns the number of profiles that are due now or later."""
        return int(self._rows.execute("SELECT COUNT(*) FROM profiles WHERE due IS NOT NULL").fetchone()[0])

    def overdue(self, now_ms: int) -> int:
        """Returns the number of profiles that are due now."""
        return int(self._rows.execute("SELECT COUNT(*) FROM profiles WHERE due <= ?", (now_ms,)).fetchone()[0])

    def next_due_ms(self) -> int | None:
        """Returns the earliest time at which a profile is due; None without one."""
        due_ms = self._rows.execute("SELECT MIN(due) FROM profiles WHERE due IS NOT NULL").fetchone()[0]
        return None if due_ms is None else int(due_ms)

    def get(self, profile_id: str) -> Profile | None:
        """Returns a profile; None if the topic does not hold it."""
        row = self._rows.execute(
            "SELECT id, tenant, into_, status, fields, ids FROM profiles WHERE id = ?", (profile_id,)
        ).fetchone()
        if row is None:
            return None
        name, tenant, into, status, fields, ids = row
        return Profile(name, tenant, into, status == ACTIVE, _decode_fields(fields), _decode_ids(ids))

    def survivor(self, profile_id: str) -> str:
        """Returns the profile that continues a merged one, or the profile itself."""
        for _ in range(MAX_HOPS):
            profile = self.get(profile_id)
            if profile is None or not profile.into:
                break
            profile_id = profile.into
        return profile_id

    def merged_into(self, profile_id: str) -> list[str]:
        """Returns every profile that was merged into this one, at any distance, ordered."""
        known, waiting = set[str](), [profile_id]
        while waiting:
            # SQLite takes the partial index only if its condition is in the query.
            query = "SELECT id FROM profiles WHERE into_ != '' AND into_ = ?"
            rows = self._rows.execute(query, (waiting.pop(),)).fetchall()
            fresh = {name for (name,) in rows} - known - {profile_id}
            known |= fresh
            waiting += fresh
        return sorted(known)

    def close(self) -> None:
        """Deletes the temporary database."""
        self._rows.close()

    def _takes(self, update: Mapping[str, Any]) -> bool:
        return not self._connection.tenants or update["tenant"] in self._connection.tenants

    def _delete(self, profile_id: str) -> None:
        empty = (_encode({}), _encode([]), profile_id)
        changed = self._rows.execute(
            "UPDATE profiles SET version = -1, status = '', into_ = '', fields = ?, ids = ?, due = 0, tries = 0"
            " WHERE id = ? AND tenant != ''",
            empty,
        )
        if self._is_adopting and not changed.rowcount:  # Kafka has compacted its record: its tenant is not known yet
            self._rows.execute(
                "INSERT OR REPLACE INTO profiles (tenant, version, status, into_, fields, ids, id)"
                " VALUES ('', -1, '', '', ?, ?, ?)",
                empty,
            )

    def _put(self, profile_id: str, update: Mapping[str, Any]) -> None:
        fields, ids = _encode(wanted_of(update, self._connection.sync)), _encode(self._crm_ids(update))
        state = (update["status"], update["merged_into"], fields, ids)
        before = self._rows.execute(
            "SELECT version, status, into_, fields, ids FROM profiles WHERE id = ?", (profile_id,)
        ).fetchone()
        if before is None:
            self._rows.execute(
                "INSERT INTO profiles (id, tenant, version, status, into_, fields, ids, due)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
                (profile_id, update["tenant"], update["version"], *state),
            )
        elif before[0] <= update["version"]:
            self._rows.execute(
                "UPDATE profiles SET tenant = ?, version = ?, status = ?, into_ = ?, fields = ?, ids = ? WHERE id = ?",
                (update["tenant"], update["version"], *state, profile_id),
            )
            if tuple(before[1:]) != state:
                self.mark([profile_id])

    def _crm_ids(self, update: Mapping[str, Any]) -> list[str]:
        if update["tenant"] != self._connection.back.tenant:
            return []
        return sorted(
            text.removeprefix(self._prefix) for text in update["identifiers"] if text.startswith(self._prefix)
        )
