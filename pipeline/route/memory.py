"""The customers' owners that this router has assigned, stored by identifier so that they survive merges and unmerges.

Each strong identifier of a customer has a row; a customer without one has a row under the profile id. The first owner
stays. After a merge, the earlier of the two owners has the merged customer. After an unmerge, each part is back with
its own owner.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from pipeline.event.identifier import type_of
from pipeline.event.ports import Table
from pipeline.profile.records import CrmAction
from pipeline.route.state import Owner


class RememberedOwner(NamedTuple):
    """The stored owner of a customer."""

    rep: str
    """The owner's name; "" if the customer has none."""
    since_ms: int
    deputy: str
    """The representative that last stood in for the owner; "" if none has."""


NO_OWNER = RememberedOwner("", 0, "")


class Memory:
    """Reads and writes the owners of customers. Ignores owners that are no longer in ``reps``."""

    def __init__(self, owners: Table[Owner], strong: Collection[str], reps: Collection[str]) -> None:
        self._owners, self._strong, self._reps = owners, frozenset(strong), reps

    def recall(self, action: CrmAction) -> tuple[RememberedOwner, str]:
        """Returns (the earliest owner, a former owner that is no longer a representative).

        Ties go to the first by name. The former owner is "" if there is an owner, or if there never was one.
        """
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
        """Stores that ``rep`` got a lead of this customer: as the owner, or as deputy where another owner is stored."""
        for key in self._strong_of(action) or (action.profile_id,):
            row = self._owners.get(key)
            if row is None or row.rep not in self._reps:
                self._owners.put(key, Owner(rep=rep, since_ms=since_ms))
            elif rep not in {row.rep, row.deputy}:
                row.deputy = rep
                self._owners.put(key, row)

    def _strong_of(self, action: CrmAction) -> Sequence[str]:
        return tuple(ident for ident in action.identifiers if type_of(ident) in self._strong)
