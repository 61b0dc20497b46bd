"""Profile updates: the newest of each profile, with its segments, search terms and accounts."""

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, select

from pipeline.avro.wire import Writer
from pipeline.event.identifier import type_of, value_of
from pipeline.event.places import ACCOUNT
from pipeline.profile.row import ACTIVE
from pipeline.serve.model import tables
from pipeline.serve.model.kinds.kind import FeedEntry, Records, json_bytes, key_text
from pipeline.serve.model.kinds.tolerant import Skipped, TolerantDecoder
from pipeline.serve.model.rows import delete_where, in_parts, upsert
from pipeline.serve.model.terms import terms_of
from pipeline.topics import UPDATES

_DERIVED: Final = (tables.members, tables.terms, tables.accounts)


class Indexed(msgspec.Struct, array_like=True, frozen=True):
    """What other tables hold of a profile."""

    segments: list[str] = []
    terms: list[tuple[str, str]] = []
    accounts: list[str] = []


_INDEXED = msgspec.msgpack.Decoder(Indexed).decode
_NOTHING: Final = Indexed()


class ProfileUpdates:
    """Folds the topic of profile updates."""

    topic = UPDATES

    def __init__(self, writer: Writer, skipped: Skipped) -> None:
        self._decoder = TolerantDecoder(UPDATES, writer, skipped)

    def apply(self, connection: Connection, records: Records) -> list[FeedEntry]:
        """Keeps the newest record of each profile. A tombstone deletes the profile."""
        newest = {key_text(record): update for record, update in self._decoder.each(records)}
        before = _indexed_before(connection, list(newest))
        rows, feed, changed = [], [], dict[str, tuple[str, Indexed]]()
        for profile_id, update in newest.items():
            indexed = _NOTHING if update is None else _indexed_of(update)
            if indexed != before.get(profile_id, _NOTHING):
                changed[profile_id] = ("" if update is None else update["tenant"], indexed)
            if update is not None:
                rows.append(_row_of(update, indexed))
                feed.append(_feed_of(update))
        gone = [{"profile_id": profile_id} for profile_id, update in newest.items() if update is None]
        delete_where(connection, tables.profiles, gone)
        upsert(connection, tables.profiles, rows)
        _delete_derived(connection, [profile_id for profile_id in changed if profile_id in before])
        _insert_derived(connection, changed)
        return feed


def body_of(update: dict[str, Any]) -> bytes:
    """Returns the JSON text of a profile, as the API sends it."""
    return json_bytes(
        {**update, **{name: msgspec.Raw(update[name].encode()) for name in ("traits", "consent", "cart")}}
    )


def _indexed_of(update: dict[str, Any]) -> Indexed:
    if update["status"] != ACTIVE:
        return _NOTHING
    idents = update["identifiers"]
    return Indexed(
        sorted(update["segments"]),
        terms_of(idents, msgspec.json.decode(update["traits"])),
        sorted(value_of(ident) for ident in idents if type_of(ident) == ACCOUNT),
    )


def _row_of(update: dict[str, Any], indexed: Indexed) -> dict[str, Any]:
    return {
        "profile_id": update["profile_id"],
        "tenant": update["tenant"],
        "status": update["status"],
        "merged_into": update["merged_into"],
        "version": update["version"],
        "last_seen_ms": update["last_seen_ms"],
        "top_score": max(update["scores"].values(), default=0.0),
        "indexed": msgspec.msgpack.encode(indexed),
        "body": body_of(update),
    }


def _feed_of(update: dict[str, Any]) -> FeedEntry:
    facts = {name: update[name] for name in ("version", "status", "merged_into", "scores", "grade", "segments")}
    return FeedEntry("profile", update["tenant"], update["profile_id"], facts)


def _indexed_before(connection: Connection, profile_ids: list[str]) -> dict[str, Indexed]:
    columns = select(tables.profiles.c.profile_id, tables.profiles.c.indexed)
    return {
        profile_id: _INDEXED(indexed)
        for part in in_parts(profile_ids)
        for profile_id, indexed in connection.execute(columns.where(tables.profiles.c.profile_id.in_(part)))
    }


def _delete_derived(connection: Connection, profile_ids: list[str]) -> None:
    keys = [{"profile_id": profile_id} for profile_id in profile_ids]
    for table in _DERIVED:
        delete_where(connection, table, keys)


def _insert_derived(connection: Connection, changed: dict[str, tuple[str, Indexed]]) -> None:
    rows: dict[Table, list[dict[str, Any]]] = {table: [] for table in _DERIVED}
    for profile_id, (tenant, indexed) in changed.items():
        profile = {"tenant": tenant, "profile_id": profile_id}
        rows[tables.members] += [{**profile, "segment": name} for name in indexed.segments]
        rows[tables.terms] += [{**profile, "kind": kind, "term": term} for kind, term in indexed.terms]
        rows[tables.accounts] += [{**profile, "account_id": account} for account in indexed.accounts]
    for table in _DERIVED:
        upsert(connection, table, rows[table])
