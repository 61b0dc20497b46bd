"""One object of the CRM whose fields follow a profile."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from connectors.crm.ledger_row import ERASED, SYNC, LedgerRow, removed, sync_id, value_hash
from connectors.crm.sink import Delivered, NeedsReview, Refused, RetryLater
from connectors.crm.sync.board import Due

REFUSED: Final = "stitchline_refused"
"""Name under which a row holds the hash of the values that the CRM has refused, so that they are not sent again."""


class Later(msgspec.Struct, frozen=True):
    """The object was written a short time ago."""

    at_ms: int


Result: TypeAlias = Delivered | RetryLater | Refused | NeedsReview | Later


class Target(msgspec.Struct, eq=False, kw_only=True):
    """What an object should hold."""

    tenant: str
    name: str
    """The id by which the ledger or the way back knows the object."""
    object: str
    """The type of the object; "" if only its id is known."""
    object_id: str
    """The object itself, which differs from ``name`` after a conversion or merge in the CRM."""
    profile_id: str
    """The customer that the object follows; "" if it follows none any more."""
    wanted: Mapping[str, str] = {}
    """Field → text; empty empties every field that was written."""
    group: Collection[str] = ()
    """The customer, and the profiles that were merged into it."""
    row: LedgerRow | None = None
    """What was written to the object before."""
    has_others: bool = False
    """Whether other objects of the customer are emptied with it: then the CRM is read, because it may have merged them
    into this one."""
    has_moved: bool = False
    """Whether the CRM has converted or merged the object since: what the other one holds is not known by the ledger."""
    retired: Sequence[LedgerRow] = ()
    """Rows about the same object under other names: this one replaces them."""
    due: Sequence[Due] = ()
    """The profiles that are settled with it."""
    changed: dict[str, str] | None = None
    """Field → value that the ledger does not have; None if the type of the object is not known yet."""
    current: Mapping[str, str | None] | None = None
    """What the CRM holds before the write; None if it was not read yet."""
    result: Result | None = None

    @property
    def written(self) -> Mapping[str, str]:
        """Field → hash of the value last written."""
        return self.row.fields if self.row else {}

    @property
    def sent(self) -> dict[str, str]:
        """The changed fields that the object does not hold yet."""
        held = self.current or {}
        return {name: text for name, text in (self.changed or {}).items() if (held.get(name) or "") != text}

    @property
    def is_leaving(self) -> bool:
        """Returns whether the ledger is to forget the object once its fields are empty: it follows no customer."""
        return not self.profile_id and self.row is not None

    def was_refused(self) -> bool:
        """Returns whether the CRM has refused these values before."""
        return REFUSED in self.written and self.written[REFUSED] == _hash_of(self.changed or {})

    def delivered(self, sink: str, now_ms: int) -> Delivered:
        """Returns that the object holds the changed values."""
        hashes = {name: hashed for name, hashed in self.written.items() if name != REFUSED}
        hashes |= {name: value_hash(value) for name, value in (self.changed or {}).items()}
        return Delivered(self.object, self.object_id, self._row(sink, now_ms, hashes))

    def refused(self, sink: str, now_ms: int) -> LedgerRow:
        """Returns the row of an object whose values were refused. It names its customer until the fields are empty."""
        row = self._row(sink, now_ms, {**self.written, REFUSED: _hash_of(self.changed or {})})
        return msgspec.structs.replace(row, profile_id=self.row.profile_id) if self.is_leaving and self.row else row

    def gone(self, sink: str, now_ms: int) -> Delivered:
        """Returns that there is no such object any more. The row names the customer, with which it goes."""
        row = LedgerRow(
            sink=sink, tenant=self.tenant, action_id=sync_id(self.name), profile_id=self.profile_id, state=ERASED,
            written_ms=now_ms,
        )  # fmt: skip
        return Delivered(row=row)

    def closed(self, now_ms: int) -> list[LedgerRow]:
        """Returns the rows that take others off the ledger: those that this one replaces, and its own in the end.

        The way back knows the emptied fields from the own row, which is written before.
        """
        rows = {row.action_id: removed(row, now_ms) for row in self.retired}
        if self.row is not None and self.is_leaving:
            own = sync_id(self.name)
            rows[own] = msgspec.structs.replace(removed(self.row, now_ms), action_id=own)
        return [*rows.values()]

    def _row(self, sink: str, now_ms: int, hashes: dict[str, str]) -> LedgerRow:
        return LedgerRow(
            sink=sink, tenant=self.tenant, action_id=sync_id(self.name), profile_id=self.profile_id,
            object=self.object, object_id=self.object_id, state=SYNC, fields=hashes, written_ms=now_ms,
        )  # fmt: skip


def _hash_of(values: Mapping[str, str]) -> str:
    return value_hash(repr(sorted(values.items())))
