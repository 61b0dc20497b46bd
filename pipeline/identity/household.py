"""Households and accounts: profiles that share an identifier of a household type. A second level; it merges nobody.

A household is what shares one identifier, and is named after it. Its members are identifiers, linked with the shared
one; each counts for the profile it belongs to now. So merges and splits of people change households without a word,
and three readers agree at any time: the pure function, the rows, and who follows ``joined`` and ``left``, ``merged``
and ``split`` on ``identity.changes``.
"""

from collections.abc import Iterable

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.event.reason import Reason
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import Resolution
from pipeline.identity.state import Node
from pipeline.identity.union_find import UnionFind


class Household(msgspec.Struct, frozen=True):
    """The profiles of one account or address. A profile may be in several."""

    household_id: str
    """Named after ``shared``, so it never changes whoever joins, leaves, merges or splits. It is also the id of the
    profile that holds what events told of the shared identifier alone."""
    shared: Identifier
    profile_ids: list[str]


def households(tenant: str, resolution: Resolution) -> list[Household]:
    """Every household that has a profile, by the identifier it shares: the definition.

    Links that are ended, suppressed or behind a firebreak do not count; a link between two household identifiers says
    nothing.
    """
    members: dict[Identifier, set[Identifier]] = {}
    for rejected in resolution.rejected:
        shared, member = rejected.merged_link.strong, rejected.merged_link.weak
        if rejected.reason == Reason.HOUSEHOLD and resolution.isolated.get(member) != Reason.HOUSEHOLD:
            members.setdefault(shared, set()).add(resolution.founder_of[member])
    return [_named(tenant, shared, founders) for shared, founders in sorted(members.items())]


class StoredHouseholds:
    """The same from STITCH's rows, as they were last decided: a household without looking at all the others."""

    def __init__(self, tenant: str, union_find: UnionFind, nodes: Table[Node]) -> None:
        self._tenant = tenant
        self._union_find = union_find
        self._nodes = nodes

    def of(self, shared: Identifier) -> Household | None:
        """The household that shares an identifier; None if nobody does."""
        founders = {self._union_find.founder(member) for member in self.members(shared)}
        return _named(self._tenant, shared, founders) if founders else None

    def members(self, shared: Identifier) -> list[Identifier]:
        """The identifiers that are linked with a household's, sorted."""
        node = self._nodes.get(shared)
        state = node.state if node is not None else None
        if state is None or state.isolated != Reason.HOUSEHOLD:
            return []
        return sorted(weak for weak in state.weaker if shared in self._shared_with(self._nodes.get(weak)))

    def shared_by(self, ident: Identifier) -> list[Identifier]:
        """The household identifiers that the profile of an identifier shares; itself, if that groups people."""
        node = self._nodes.get(ident)
        if node is None:
            return []
        if node.state is not None and node.state.isolated == Reason.HOUSEHOLD:
            return [ident]
        founder = self._union_find.founder(ident)
        component = self._union_find.members(ident, node)
        rows = [row for member, row in component if self._union_find.founder(member) == founder]
        return sorted({shared for row in rows for shared in self._shared_with(row)})

    def _shared_with(self, node: Node | None) -> list[Identifier]:
        if node is None or (node.state is not None and node.state.isolated == Reason.HOUSEHOLD):
            return []
        return [edge.peer for edge in node.edges if edge.rejection == Reason.HOUSEHOLD]


def _named(tenant: str, shared: Identifier, founders: Iterable[Identifier]) -> Household:
    return Household(profile_id(tenant, shared), shared, sorted(profile_id(tenant, founder) for founder in founders))
