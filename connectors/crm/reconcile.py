"""Compares a whole ledger with its CRM, and repairs what can be repaired.

1. Read the rows with an object, batch by batch, and compare them with the CRM.
2. With ``fix``: point the rows of merged and converted objects to those that are left.
3. With ``fix``: deliver the newest revision of older and deleted objects again. A deleted object is created again only
   if the connection has ``deleted: recreate``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import msgspec

from connectors.crm.deviation import Deviation, Kind
from connectors.crm.ledger_row import SYNC, LedgerRow
from connectors.crm.sink import Action, CrmSink, Delivered

BATCH: Final = 100
Compare: TypeAlias = Callable[[Sequence[LedgerRow]], Iterable[Deviation]]
Save: TypeAlias = Callable[[Sequence[LedgerRow]], None]
Find: TypeAlias = Callable[[set[str]], Iterable[Action]]
"""Returns the records of the actions with these ids."""


class Repaired(msgspec.Struct):
    """What a repair has done."""

    repointed: int = 0
    delivered: int = 0
    left: int = 0
    """Deviations that were not repaired: a review decides, or the CRM refused again."""


def deviations(rows: Iterable[LedgerRow], compare: Compare) -> Iterator[Deviation]:
    """Yields every deviation of the rows that have an object. Rows come ordered by tenant."""
    batch: list[LedgerRow] = []
    for row in rows:
        if not row.object_id:
            continue
        if len(batch) == BATCH or (batch and batch[0].tenant != row.tenant):
            yield from compare(batch)
            batch = []
        batch.append(row)
    if batch:
        yield from compare(batch)


def repair(found: Sequence[Deviation], sink: CrmSink, *, find: Find, save: Save) -> Repaired:
    """Repairs merged, converted, older and deleted objects. Changed fields are left as they are."""
    repaired = Repaired()
    merged = [item for item in found if item.kind in {Kind.MERGED, Kind.CONVERTED} and item.survivor]
    for start in range(0, len(merged), BATCH):
        part = merged[start : start + BATCH]
        save([
            msgspec.structs.replace(item.row, object=item.survivor_type, object_id=item.survivor) for item in part
        ])  # fmt: skip
        repaired.repointed += len(part)
    again = [item.row for item in found if item.kind in {Kind.OLDER, Kind.DELETED}]
    wanted = {row.action_id for row in again if row.state != SYNC}  # a sync never creates an object
    newest: dict[str, Action] = {}
    for action in find(wanted) if wanted else ():
        if action.revision >= newest.get(action.action_id, action).revision:
            newest[action.action_id] = action
    repaired.left = len(wanted) - len(newest)
    actions = list(newest.values())
    for start in range(0, len(actions), BATCH):
        outcomes = sink.deliver(actions[start : start + BATCH])
        rows = [outcome.row for outcome in outcomes if isinstance(outcome, Delivered) and outcome.row is not None]
        if rows:
            save(rows)
        repaired.delivered += len(rows)
        repaired.left += len(outcomes) - len(rows)
    return repaired
