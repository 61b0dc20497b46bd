"""One row of the ledger: what a CRM holds for one action, as last written."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec

from connectors.crm.value_form import common_form

OPEN: Final = "open"
DUPLICATE: Final = "duplicate"
ERASED: Final = "erased"
SYNC: Final = "sync"
"""State of a row about an object whose fields follow a profile, whatever its actions."""
REMOVED: Final = "removed"
"""State of a row whose record in the topic is a tombstone: the key goes too, once Kafka compacts."""
_HASH_BYTES: Final = 8


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The fields of the ``crm-ledger`` schema, which documents them."""

    sink: str
    tenant: str
    action_id: str
    profile_id: str = ""
    object: str = ""
    object_id: str = ""
    revision: int = 0
    state: str = OPEN
    note_id: str = ""
    fields: dict[str, str] = {}
    written_ms: int = 0

    @property
    def key(self) -> str:
        """The key of the row in the ledger topic."""
        return ledger_key(self.sink, self.tenant, self.action_id)


def ledger_key(sink: str, tenant: str, action_id: str) -> str:
    """Returns the key of a row in the ledger topic."""
    return f"{sink}/{tenant}/{action_id}"


def sync_id(object_id: str) -> str:
    """Returns the action id of the row about an object whose fields follow a profile."""
    return f"{SYNC}:{object_id}"


def synced_object(row: LedgerRow) -> str:
    """Returns the object id of a row that :func:`sync_id` names; "" for any other row.

    >>> synced_object(LedgerRow(sink="hubspot", tenant="default", action_id="sync:7"))
    '7'
    """
    kind, _, object_id = row.action_id.partition(":")
    return object_id if kind == SYNC else ""


def value_hash(value: str) -> str:
    """Returns the hash of a field's value: 16 hexadecimal digits. All spellings of one address have the same.

    >>> value_hash("Ann@Shop.Example") == value_hash("ann@shop.example")
    True
    """
    return blake2b(common_form(value).encode(), digest_size=_HASH_BYTES).hexdigest()


def removed(row: LedgerRow, now_ms: int) -> LedgerRow:
    """Returns the row that takes another one off the topic."""
    return LedgerRow(
        sink=row.sink, tenant=row.tenant, action_id=row.action_id, revision=row.revision, state=REMOVED,
        written_ms=now_ms,
    )  # fmt: skip


def tombstone_of(key: str, at_ms: int) -> LedgerRow:
    """Returns the row of a tombstone in the ledger topic.

    >>> tombstone_of("hubspot/default/sync:7", 5).action_id
    'sync:7'
    """
    sink, tenant, action_id = key.split("/", 2)
    return LedgerRow(sink=sink, tenant=tenant, action_id=action_id, state=REMOVED, written_ms=at_ms)


def row_of(record: Mapping[str, Any]) -> LedgerRow:
    """Returns the row of a decoded record of the ledger topic."""
    return msgspec.convert(record, LedgerRow)
