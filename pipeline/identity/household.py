"""Households and accounts: groups of profiles that share an identifier of a household type. They merge no profiles.

A household is named after the shared identifier. Its members are the identifiers linked with the shared one; each
member stands for the profile that owns it now. So a merge or a split changes households without a record of its own.
The same households result from the pure function, from STITCH's rows, and from following ``joined``, ``left``,
``merged`` and ``split`` on ``identity.changes``.
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
    """Derived from ``shared``, so that it never changes. It is also the id of the profile of events that carry only the
    shared identifier."""
    shared: Identifier
    profile_ids: list[str]


def households(tenant: str, resolution: Resolution) -> list[Household]:
    """Returns every household with at least one profile, sorted by shared identifier. This is the definition.

    Ignores links that are ended, suppressed or behind a firebreak, and links between two household identifiers.
    """
    members: dict[Identifier, set[Identifier]] = {}
    for rejected in resolution.rejected:
        shared, member = rejected.merged_link.strong, rejected.merged_link.weak
        if rejected.reason == Reason.HOUSEHOLD and resolution.isolated.get(member) != Reason.HOUSEHOLD:
            members.setdefault(shared, set()).add(resolution.founder_of[member])
    return [_named(tenant, shared, founders) for shared, founders in sorted(members.items())]


class StoredHouseholds:
    """Reads single households from STITCH's rows, without resolving all links."""

    def __init__(self, tenant: str, union_find: UnionFind, nodes: Table[Node]) -> None:
        self._tenant = tenant
        self._union_find = union_find
        self._nodes = nodes

    def of(self, shared: Identifier) -> Household | None:
        """Returns the household of a shared identifier; None if it has no member."""
        founders = {self._union_find.founder(member) for member in self.members(shared)}
        return _named(self._tenant, shared, founders) if founders else None

    def members(self, shared: Identifier) -> list[Identifier]:
        """Returns the identifiers that are linked with a household's identifier, sorted."""
        node = self._nodes.get(shared)
        state = node.state if node is not None else None
        if state is None or state.isolated != Reason.HOUSEHOLD:
            return []
        return sorted(weak for weak in state.weaker if shared in self._shared_with(self._nodes.get(weak)))

    def shared_by(self, ident: Identifier) -> list[Identifier]:
        """Returns the household identifiers of an identifier's profile. A household identifier yields only itself."""
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
