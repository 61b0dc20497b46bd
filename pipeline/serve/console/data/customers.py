"""Customers: found by text, and one with everything that its page shows."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pipeline.event.identifier import type_of
from pipeline.identity.policy import IdentityPolicy
from pipeline.serve.console.data.leads import LeadData
from pipeline.serve.console.data.lines import line_of
from pipeline.serve.console.views import Customer, CustomerGraph, CustomerLine, Membership
from pipeline.serve.read.leads import LeadFilter
from pipeline.serve.read.reads import Reads

CHANGES: Final = 30
LEADS: Final = 10
ENTERED: Final = "entered"
MERGED: Final = "merged"
FORMER: Final = 100


class CustomerData:
    """Reads profiles with what belongs to them."""

    def __init__(self, reads: Reads, leads: LeadData) -> None:
        self._reads, self._leads = reads, leads

    def search(self, tenant: str, text: str, limit: int) -> list[CustomerLine]:
        """Returns the customers that an address, a number or a name finds. Raises QueryError if it is too short."""
        found = self._reads.search.find(tenant, text, limit=limit)
        return [line_of(msgspec.json.decode(profile.body)) for profile in found]

    def find(self, tenant: str, text: str) -> str | None:
        """Returns the current profile of ``type:value`` or of an id, or None.

        Raises:
            NotAnIdentifierError: the text is neither an identifier nor a profile id.
        """
        found = self._reads.profiles.find(tenant, text)
        return found.profile_id if found else None

    def one(self, tenant: str, profile_id: str) -> Customer | None:
        """Returns the customer of a profile id, old or new; None if there is none.

        Raises:
            NotAnIdentifierError: the text is no profile id.
        """
        found = self._reads.profiles.find(tenant, profile_id)
        view = self._reads.profiles.detail(tenant, found.profile_id) if found else None
        if found is None or view is None:
            return None
        history = self._reads.segments.history(tenant, found.profile_id)
        ids = [found.profile_id, *self._former_ids(tenant, found.profile_id)]
        leads = [
            lead for name in ids for lead in self._leads.page(tenant, LeadFilter(profile_id=name), "", LEADS).items
        ]
        return Customer(
            view=view,
            requested_id=found.requested_id,
            memberships=memberships(view["segments"], history),
            changes=self._reads.identity.changes(tenant, profile_id=found.profile_id, limit=CHANGES).items,
            leads=sorted(leads, key=lambda lead: -lead.action["timestamp_ms"])[:LEADS],
        )

    def _former_ids(self, tenant: str, profile_id: str) -> list[str]:
        """Returns ids that were merged into a profile, directly or through others, and were not split off since.

        A lead keeps the id that its customer had. Follows the newest merges of each id, about ``FORMER`` ids in all.
        """
        known, waiting = {profile_id: ""}, [profile_id]
        while waiting and len(known) <= FORMER:
            page = self._reads.identity.changes(tenant, profile_id=(into := waiting.pop()), limit=CHANGES)
            merged = [item for item in page.items if item["change"] == MERGED and item["profile_id"] == into]
            new = {item["other_profile_id"]: "" for item in merged if item["other_profile_id"] not in known}
            known |= new
            waiting += new
        found = self._reads.profiles.find_all(tenant, list(known))
        return [name for name, now in zip(known, found, strict=True) if now and now.profile_id == profile_id != name]

    def graph(self, tenant: str, profile_id: str) -> CustomerGraph | None:
        """Returns the identifiers and links of a customer; None if nothing was ever linked to it.

        Raises:
            NotAnIdentifierError: the text is no profile id.
        """
        graph = self._reads.identity.graph(tenant, profile_id)
        if graph is None:
            return None
        policy = IdentityPolicy(self._reads.context.rules.identity)
        kinds = sorted({type_of(ident) for ident in graph}, key=lambda kind: policy.strength(f"{kind}:"))
        return CustomerGraph(graph, kinds)


def memberships(current: Sequence[str], history: Sequence[dict[str, Any]]) -> list[Membership]:
    """Returns the times in segments, those that last first, then by falling end.

    ``history`` holds entries and exits, newest first. A segment of ``current`` without an entry since its last exit was
    entered at a time that the log does not hold.
    """
    open_until: dict[str, int] = dict.fromkeys(current, 0)
    found: list[Membership] = []
    for change in history:
        name, at_ms = change["segment"], change["timestamp_ms"]
        if change["change"] != ENTERED:
            if name in open_until:  # the entry is missing: it was left twice, or its entry is older than the log
                found.append(Membership(name, 0, open_until[name]))
            open_until[name] = at_ms
        elif name in open_until:
            found.append(Membership(name, at_ms, open_until.pop(name)))
    found += [Membership(name, 0, until_ms) for name, until_ms in open_until.items()]
    return sorted(found, key=lambda item: (item.until_ms > 0, -item.until_ms, -item.since_ms, item.segment))
