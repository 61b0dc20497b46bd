"""The components that must be resolved again before the batch ends, and the causes."""

from collections.abc import Container

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.identity.messages import Command, Link
from pipeline.identity.state import Node
from pipeline.identity.union_find import UnionFind


class PendingComponents:
    """Identifiers of pending components. Each component is marked at once, so that the fast path does not use it."""

    def __init__(self, union_find: UnionFind, nodes: Table[Node]) -> None:
        self.pairs: dict[Identifier, set[Identifier]] = {}
        """Ends of the batch's links that are not joined yet. A rebuild always loads both."""
        self.causes: dict[Identifier, Link | Command] = {}
        """The last cause for each pending identifier, the longest pending first."""
        self._union_find = union_find
        self._nodes = nodes

    def add(self, idents: tuple[Identifier, ...], cause: Link | Command) -> None:
        """Adds an identifier or both ends of a link. Writes their roots, and rows for identifiers without one."""
        for ident in idents:
            self.causes.pop(ident, None)
            self.causes[ident] = cause
            self.pairs.setdefault(ident, set()).update(idents)
            root, row, head = self._union_find.root(ident, self._union_find.get_or_create(ident))
            head.needs_resolution = True
            self._nodes.put(root, row)

    def take_resolved(self, members: Container[Identifier]) -> Link | Command:
        """Removes all identifiers in ``members``, at least one of which is pending. Returns their last cause."""
        resolved = [ident for ident in self.causes if ident in members]
        for ident in resolved:
            del self.pairs[ident]
        return [self.causes.pop(ident) for ident in resolved][-1]
