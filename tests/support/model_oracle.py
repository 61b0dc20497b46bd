"""What the read model must hold, folded naively from the records: the newest value of each key, in dictionaries."""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
from sqlalchemy import Engine, text

from pipeline.avro.wire import Decoder
from pipeline.topics import ACTIONS, ASSIGNMENTS, CHANGELOGS, CHANGES, LEDGER, SEGMENTS, UPDATES, StageName

Tables = dict[str, Any]


class Record(Protocol):
    def topic(self) -> str | None: ...
    def partition(self) -> int | None: ...
    def offset(self) -> int | None: ...
    def key(self) -> Any: ...
    def value(self) -> Any: ...


def expected(records: Iterable[Record], prefix: str) -> Tables:
    """Table to its rows by primary key, from records of which those of one partition are in order."""
    decoders = {topic.of(prefix): Decoder(topic.value) for topic in (UPDATES, CHANGES, SEGMENTS, ACTIONS, LEDGER)}
    newest: dict[str, dict[bytes, Any]] = {}
    tables: Tables = {name: {} for name in ("changes", "segment_changes", "actions", "leads", "deliveries")}
    for record in records:
        topic, key, value = record.topic() or "", record.key(), record.value()
        short = topic.removeprefix(prefix + ".")
        if topic in decoders and value is not None:
            value = decoders[topic](value)
        if short == CHANGES.name:
            tables["changes"][record.partition(), record.offset()] = value
        elif short == SEGMENTS.name:
            tables["segment_changes"][value["event_id"]] = (value["profile_id"], value["segment"], value["change"])
        elif short == ACTIONS.name:
            tables["actions"][value["action_id"], value["revision"]] = value
        elif value is None:
            newest.setdefault(short, {}).pop(key, None)
        else:
            newest.setdefault(short, {})[key] = value
    for (action_id, _), action in sorted(tables["actions"].items()):
        tables["leads"][action_id] = action
    updates = newest.get(UPDATES.name, {}).values()
    tables["profiles"] = {update["profile_id"]: _as_sent(update) for update in updates}
    tables["members"] = {(segment, update["profile_id"]) for update in updates for segment in update["segments"]}
    assignments = newest.get(ASSIGNMENTS.name, {}).items()
    tables["identifiers"] = {key.decode(): msgspec.msgpack.decode(value)[0] for key, value in assignments
                             if not key.startswith(b"\0")}  # fmt: skip
    tables["states"] = _family(newest, CHANGELOGS[StageName.PROFILE].name, b"profiles/")
    tables["nodes"] = _family(newest, CHANGELOGS[StageName.STITCH].name, b"nodes/")
    ledger = newest.get(LEDGER.name, {}).values()
    tables["deliveries"] = {(row["sink"], row["action_id"]): row for row in ledger}
    return tables


def stored(engine: Engine) -> Tables:
    """The same tables, as plain SQL reads them."""
    with engine.connect() as connection:

        def rows(query: str) -> list[tuple[Any, ...]]:
            return [tuple(bytes(item) if isinstance(item, memoryview) else item for item in row)
                    for row in connection.execute(text(query))]  # fmt: skip

        decode = msgspec.json.decode
        return {
            "changes": {
                (a, b): decode(c) for a, b, c in rows('SELECT partition, "offset", body FROM identity_changes')
            },
            "segment_changes": {
                key: (profile_id, segment, change)
                for key, profile_id, segment, change in rows(
                    "SELECT event_id, profile_id, segment, change FROM segment_changes"
                )
            },
            "actions": {(a, b): decode(c) for a, b, c in rows("SELECT action_id, revision, body FROM actions")},
            "leads": {a: decode(b) for a, b in rows("SELECT action_id, body FROM leads")},
            "deliveries": {(a, b): decode(c) for a, b, c in rows("SELECT sink, action_id, body FROM deliveries")},
            "profiles": {a: decode(b) for a, b in rows("SELECT profile_id, body FROM profiles")},
            "members": set(rows("SELECT segment, profile_id FROM members")),
            "identifiers": {
                f"{a}/{b}": c for a, b, c in rows("SELECT tenant, identifier, profile_id FROM identifiers")
            },
            "states": dict(rows("SELECT profile_id, state FROM profile_states")),
            "nodes": {f"{a}/{b}": c for a, b, c in rows("SELECT tenant, identifier, node FROM nodes")},
        }  # fmt: skip


def _as_sent(update: dict[str, Any]) -> dict[str, Any]:
    return {**update, **{name: msgspec.json.decode(update[name]) for name in ("traits", "consent", "cart")}}


def _family(newest: dict[str, dict[bytes, Any]], topic: str, prefix: bytes) -> dict[str, bytes]:
    rows = newest.get(topic, {})
    return {key.removeprefix(prefix).decode(): row for key, row in rows.items() if key.startswith(prefix)}
