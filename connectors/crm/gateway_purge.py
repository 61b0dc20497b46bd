"""Deletes leads, and the contacts that they became, through the gateway of their CRM."""

from typing import TypeAlias

from connectors.crm.fault import PASSING
from connectors.crm.gateway import Gateway
from connectors.crm.ledger_row import LedgerRow
from connectors.crm.sink import Action, NeedsReview, Outcome, Refused, RetryLater, SinkError
from connectors.crm.split import Failed
from connectors.crm.work import Held

_Objects: TypeAlias = list[tuple[str, str]]
"""Types and ids."""


class GatewayPurge:
    """Implements :class:`~connectors.crm.erasing.Purge` for every CRM whose objects a plain deletion removes."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __call__(self, action: Action, row: LedgerRow | None) -> Outcome | None:
        """Deletes the objects of a lead. Returns None once there is none, or why there may still be one."""
        objects = self._objects(self._starts(action, row), action.tenant)
        if not isinstance(objects, list):
            return objects
        # The last object first: only a lead that still exists leads a second try to the contact that it became.
        for object_type, object_id in reversed(objects):
            failed = self._delete(object_type, object_id, action.tenant)
            if failed is not None:
                return failed
        return None

    def _starts(self, action: Action, row: LedgerRow | None) -> _Objects:
        """Returns the object of the ledger, and the one with the action id: the ledger forgets a converted lead."""
        starts = [(row.object, row.object_id)] if row is not None and row.object_id else []
        found = self._gateway.find([action.action_id], action.tenant).get(action.action_id)
        return list(dict.fromkeys([*starts, (self._gateway.home, found)])) if found else starts

    def _objects(self, starts: _Objects, tenant: str) -> _Objects | Outcome:
        """Returns the objects that exist, each before the one that it was converted or merged into."""
        objects: _Objects = []
        waiting, seen = list(starts), set(starts)
        while waiting:
            object_type, object_id = waiting.pop(0)
            held = self._read(object_type, object_id, tenant)
            if held is not None:
                objects.append((object_type, object_id))
            after = held or self._gateway.follow(object_type, object_id, [], tenant)
            if isinstance(after, Failed):
                return RetryLater(0, after.words)
            if after is None:
                continue
            if review := self._review(object_type, object_id, after.moved_to):
                return review
            following = after.moved_to or (after.object, after.id)
            if following not in seen:
                seen.add(following)
                waiting.append(following)
        return objects

    def _read(self, object_type: str, object_id: str, tenant: str) -> Held | None:
        return self._gateway.read(object_type, [object_id], [self._gateway.names.owner], tenant).get(object_id)

    def _review(self, object_type: str, object_id: str, moved_to: tuple[str, str] | None) -> NeedsReview | None:
        """Returns a review for an object with copies that the API does not find. It is deleted by hand with them."""
        left = self._gateway.conversion_leaves
        if left and (moved_to is not None or object_type != self._gateway.home):
            return NeedsReview(f"erase {object_type} {object_id} by hand, with {left}")
        if moved_to is not None and not moved_to[1]:
            return NeedsReview(f"{object_type} {object_id} was converted and names no {moved_to[0]}: erase it by hand")
        return None

    def _delete(self, object_type: str, object_id: str, tenant: str) -> Outcome | None:
        try:
            failed = self._gateway.delete(object_type, object_id)
        except SinkError as denied:  # leads go on without the right to delete them
            return Refused(str(denied))
        if failed is None:
            return None
        if failed.fault in PASSING:
            return RetryLater(0, failed.words)
        return Refused(failed.words) if self._read(object_type, object_id, tenant) else None
