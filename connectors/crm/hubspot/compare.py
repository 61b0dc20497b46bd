"""Compares ledger rows with the contacts that HubSpot holds. Changes nothing."""

from collections.abc import Iterator, Sequence
from typing import Final

from connectors.crm.deviation import Deviation, Kind
from connectors.crm.exchange import Send
from connectors.crm.fault import Fault
from connectors.crm.hubspot.answers import checked, rows_of
from connectors.crm.hubspot.calls import Calls
from connectors.crm.hubspot.work import KEY, NOTE_HASH, REVISION
from connectors.crm.ledger_row import LedgerRow, value_hash

BOOKKEEPING: Final = frozenset({KEY, REVISION, NOTE_HASH})


def compare(rows: Sequence[LedgerRow], calls: Calls, send: Send) -> Iterator[Deviation]:
    """Yields the deviations of at most 100 rows with contacts, of one tenant.

    Raises:
        StoppedError: HubSpot is not available now.
        SinkError: A right is missing.
    """
    tenant = rows[0].tenant
    names = sorted({KEY, REVISION}.union(*(row.fields for row in rows)) - {NOTE_HASH})
    held = rows_of(send(calls.read_by_id(sorted({row.object_id for row in rows}), names, tenant)))
    for row in rows:
        contact = held.get(row.object_id)
        if contact is None:
            yield _missing(row, calls, send)
            continue
        revision = contact.get(REVISION) or "0"
        if contact.get(KEY) == row.action_id and revision.isdecimal() and int(revision) < row.revision:
            yield Deviation(row, Kind.OLDER, f"revision {revision}, the ledger has {row.revision}")
        changed = [
            name
            for name, written in sorted(row.fields.items())
            if name not in BOOKKEEPING and value_hash(contact.get(name) or "") != written
        ]
        if changed:
            yield Deviation(row, Kind.CHANGED, ", ".join(changed))


def _missing(row: LedgerRow, calls: Calls, send: Send) -> Deviation:
    answer = send(calls.read_one(row.object_id, [KEY], row.tenant))
    failed = checked(answer)
    if failed is None and isinstance(answer.body, dict) and answer.body.get("id"):
        survivor = str(answer.body["id"])
        return Deviation(row, Kind.MERGED, f"into {survivor}", survivor)
    if failed is not None and failed.fault is Fault.GONE:
        return Deviation(row, Kind.DELETED, "")
    return Deviation(row, Kind.UNKNOWN, answer.words())
