"""Whose customer it is, as far as this router decided: kept under identifiers, so that it follows merges and unmerges.

A row is under each strong identifier of the customer, or under the profile id where there is none. The first owner
stays: where two customers merge, the earlier owner has both, and if they part again, each goes back to their own.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from pipeline.event.identifier import type_of
from pipeline.event.ports import Table
from pipeline.profile.records import CrmAction
from pipeline.route.state import Owner


class RememberedOwner(NamedTuple):
    """What is remembered of a customer."""

    rep: str
    """Whose they are; "" if nobody's."""
    since_ms: int
    deputy: str
    """Who last stood in; "" if nobody did."""


NO_OWNER = RememberedOwner("", 0, "")


class Memory:
    """Reads and writes the owners of customers. Who is none of ``reps`` any more owns nobody."""

    def __init__(self, owners: Table[Owner], strong: Collection[str], reps: Collection[str]) -> None:
        self._owners, self._strong, self._reps = owners, frozenset(strong), reps

    def recall(self, action: CrmAction) -> tuple[RememberedOwner, str]:
        """The earliest owner, ties by name; and, where there is none, somebody who was one and has left."""
        owner, gone = NO_OWNER, ""
        for key in (*self._strong_of(action), action.profile_id):
            row = self._owners.get(key)
            if row is None:
                continue
            if row.rep not in self._reps:
                gone = row.rep
            elif owner is NO_OWNER or (row.since_ms, row.rep) < (owner.since_ms, owner.rep):
                owner = RememberedOwner(row.rep, row.since_ms, row.deputy)
        return owner, "" if owner.rep else gone

    def note(self, action: CrmAction, rep: str, since_ms: int) -> None:
        """Somebody got this customer. Where an identifier has another owner already, they have only stood in."""
        for key in self._strong_of(action) or (action.profile_id,):
            row = self._owners.get(key)
            if row is None or row.rep not in self._reps:
                self._owners.put(key, Owner(rep=rep, since_ms=since_ms))
            elif rep not in {row.rep, row.deputy}:
                row.deputy = rep
                self._owners.put(key, row)

    def _strong_of(self, action: CrmAction) -> Sequence[str]:
        return tuple(ident for ident in action.identifiers if type_of(ident) in self._strong)
