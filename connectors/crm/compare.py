"""Compares ledger rows with the objects that a CRM holds. Changes nothing."""

from collections.abc import Iterator, Sequence

from connectors.crm.deviation import Deviation, Kind
from connectors.crm.gateway import Gateway
from connectors.crm.ledger_row import LedgerRow, value_hash
from connectors.crm.split import Failed
from connectors.crm.work import NOTE_HASH, Held


def compare(rows: Sequence[LedgerRow], gateway: Gateway) -> Iterator[Deviation]:
    """Yields the deviations of at most 100 rows with objects, of one tenant.

    Raises:
        StoppedError: The CRM is not available now.
        SinkError: A right is missing.
    """
    for object_type in sorted({row.object for row in rows}):
        yield from _compare(object_type, [row for row in rows if row.object == object_type], gateway)


def _compare(object_type: str, rows: Sequence[LedgerRow], gateway: Gateway) -> Iterator[Deviation]:
    names, tenant, known = gateway.names, rows[0].tenant, gateway.fields(object_type)
    wanted = {names.action, names.revision}.union(*(row.fields for row in rows)) & known.keys()
    held = gateway.read(object_type, sorted({row.object_id for row in rows}), sorted(wanted), tenant)
    for row in rows:
        found = held.get(row.object_id)
        if found is None:
            yield _missing(row, gateway)
        elif found.moved_to is not None:
            yield _moved(row, found.moved_to)
        else:
            yield from _differences(row, found, gateway)


def _differences(row: LedgerRow, held: Held, gateway: Gateway) -> Iterator[Deviation]:
    names, known = gateway.names, gateway.fields(held.object)
    bookkeeping = {names.action, names.revision, NOTE_HASH}
    revision = held.values.get(names.revision) or "0"
    if held.values.get(names.action) == row.action_id and revision.isdecimal() and int(revision) < row.revision:
        yield Deviation(row, Kind.OLDER, f"revision {revision}, the ledger has {row.revision}")
    changed = [
        name
        for name, written in sorted(row.fields.items())
        if name not in bookkeeping and name in known and value_hash(held.values.get(name) or "") != written
    ]
    if changed:
        yield Deviation(row, Kind.CHANGED, ", ".join(changed))


def _missing(row: LedgerRow, gateway: Gateway) -> Deviation:
    answer = gateway.follow(row.object, row.object_id, [gateway.names.action], row.tenant)
    if isinstance(answer, Failed):
        return Deviation(row, Kind.UNKNOWN, answer.words)
    if answer is None:
        return Deviation(row, Kind.DELETED, "")
    return _moved(row, answer.moved_to or (answer.object, answer.id))


def _moved(row: LedgerRow, survivor: tuple[str, str]) -> Deviation:
    object_type, object_id = survivor
    if object_type == row.object:
        return Deviation(row, Kind.MERGED, f"into {object_id}", object_id, object_type)
    return Deviation(
        row, Kind.CONVERTED, f"into {object_type.lower()} {object_id or 'unknown'}", object_id, object_type
    )
