"""Which objects of the CRM a batch of profiles is about, and what each should hold. Reads board and ledger only.

1. A merged profile is replaced by the one that continues it.
2. Its object is that of its leads, as the lead sink chooses it; else of the leads of a profile that was merged into it;
   else the first that the way back has linked to it. Deleted objects are passed over.
3. One object follows one customer: the one that it follows already, as long as that still has it.
4. Other objects that follow the same customer, or one that is gone, are emptied.
5. What the ledger keeps of deleted objects goes with their customer.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from connectors.crm.ledger import LedgerView
from connectors.crm.ledger_row import ERASED, LedgerRow, sync_id, synced_object
from connectors.crm.sink import Delivered
from connectors.crm.sync.board import Board, Due
from connectors.crm.sync.target import Target


class Place(NamedTuple):
    """An object as the ledger or the way back knows it."""

    object: str
    """The type; "" if only the id is known."""
    id: str


class Planner:
    """Plans the writes of one connection."""

    def __init__(self, board: Board, ledger: LedgerView) -> None:
        self._board, self._ledger = board, ledger
        self._sharing: defaultdict[str, set[str]] = defaultdict(set)
        """Customer → customers whose object follows it."""

    def take_over(self) -> None:
        """Makes profiles due that objects follow and that were deleted before the first of them was read."""
        self._board.adopt(self._ledger.followed())

    def plan(self, due: Sequence[Due], tenant: str) -> tuple[list[Target], list[Due]]:
        """Returns targets of different objects, and the profiles that need no write. Others stay due."""
        customers: defaultdict[str, list[Due]] = defaultdict(list)
        for one in due:
            customers[self._board.survivor(one.profile_id)].append(one)
        targets: list[Target] = []
        settled: list[Due] = []
        taken: set[str] = set()
        for customer in customers:
            self._board.mark(self._sharing.pop(customer, ()))
        for customer in sorted(customers):
            planned = self._targets(customer, tenant, customers[customer])
            if not planned:
                settled += customers[customer]
            elif taken.isdisjoint(objects := {target.object_id for target in planned} - {""}):
                targets += planned
                taken |= objects
        return targets, settled

    def _targets(self, customer: str, tenant: str, due: Sequence[Due]) -> list[Target]:
        group = [customer, *self._board.merged_into(customer)]
        rows = self._ledger.synced(tenant, group)
        place = self._place(customer, group, tenant)
        targets: list[Target] = []
        if place is not None and not self._follows_another(place, customer, tenant):
            target = self._target(place, customer, tenant, rows)
            target.group = group
            targets.append(target)
            done = {sync_id(target.name), *(row.action_id for row in target.retired)}
            rows = [row for row in rows if row.action_id not in done]
            target.has_others = bool(rows)
        targets += [
            Target(
                tenant=tenant, name=synced_object(row), object=row.object, object_id=row.object_id,
                profile_id="", row=row,
            )
            for row in rows
        ]  # fmt: skip
        targets += self._forgotten(customer, group, tenant)
        for one in targets:
            one.due = due
        return targets

    def _forgotten(self, customer: str, group: Sequence[str], tenant: str) -> list[Target]:
        """Returns settled targets of the deleted objects of a customer that is gone."""
        profile = self._board.get(customer)
        rows = [] if profile is not None and profile.is_active else self._ledger.gone(tenant, group)
        return [
            Target(
                tenant=tenant, name=synced_object(row), object="", object_id="", profile_id="", row=row,
                result=Delivered(row=row),
            )
            for row in rows
        ]  # fmt: skip

    def _target(self, place: Place, customer: str, tenant: str, rows: Sequence[LedgerRow]) -> Target:
        """Returns the target of a customer's object, with what was written to it under any name."""
        own = self._ledger.of_actions(tenant, [sync_id(place.id)]).get(sync_id(place.id))
        own = own if own is not None and own.object_id else None
        ids = {place.id, own.object_id if own is not None else place.id}
        same = [row for row in rows if row.object_id in ids and row.action_id != sync_id(place.id)]
        row = own or next(iter(same), None)
        profile = self._board.get(customer)
        is_active = profile is not None and profile.is_active
        return Target(
            tenant=tenant, name=place.id, object=row.object if row else place.object,
            object_id=row.object_id if row else place.id, profile_id=customer if is_active else "",
            wanted=profile.fields if profile is not None and is_active else {}, row=row, retired=same,
        )  # fmt: skip

    def _place(self, customer: str, group: Sequence[str], tenant: str) -> Place | None:
        leads = self._ledger.of_profiles(tenant, group)
        own_first = sorted(
            leads.values(), key=lambda row: (row.profile_id != customer, row.written_ms, row.action_id)
        )  # fmt: skip
        places = [Place(row.object, row.object_id) for row in own_first]
        profile = self._board.get(customer)
        places += [Place("", name) for name in (profile.crm_ids if profile else ())]
        gone = {
            row.action_id
            for row in self._ledger.of_actions(tenant, [sync_id(place.id) for place in places]).values()
            if row.state == ERASED
        }
        return next((place for place in places if sync_id(place.id) not in gone), None)

    def _follows_another(self, place: Place, customer: str, tenant: str) -> bool:
        rows = self._ledger.of_actions(tenant, [sync_id(place.id)])
        rows |= {row.action_id: row for row in self._ledger.on_objects(tenant, [place.id])}
        return any(row.object_id and self._has(row, place, customer, tenant) for row in rows.values())

    def _has(self, row: LedgerRow, place: Place, customer: str, tenant: str) -> bool:
        """Returns whether another customer still has the object that follows it by a row."""
        other = self._board.survivor(row.profile_id)
        profile = self._board.get(other)
        if other == customer or profile is None or not profile.is_active:
            return False
        theirs = self._place(other, [other, *self._board.merged_into(other)], tenant)
        if theirs is None or theirs.id not in {place.id, synced_object(row)}:
            return False
        self._sharing[other].add(customer)
        return True
