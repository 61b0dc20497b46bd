"""Which components must be resolved again before the batch ends, and what made it so."""

from collections.abc import Container

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.identity.messages import Command, Link
from pipeline.identity.state import Node
from pipeline.identity.union_find import UnionFind


class PendingComponents:
    """Identifiers whose component waits. It is marked for resolution at once, so that no fast path trusts it."""

    def __init__(self, union_find: UnionFind, nodes: Table[Node]) -> None:
        self.pairs: dict[Identifier, set[Identifier]] = {}
        """Ends of the batch's links that are not joined yet: one is never looked at without the other."""
        self.causes: dict[Identifier, Link | Command] = {}
        """What made each identifier wait, the longest waiting first; of several the last."""
        self._union_find = union_find
        self._nodes = nodes

    def add(self, idents: tuple[Identifier, ...], cause: Link | Command) -> None:
        """Remember an identifier or both ends of a link. Puts their roots, and rows for those that have none."""
        for ident in idents:
            self.causes.pop(ident, None)
            self.causes[ident] = cause
            self.pairs.setdefault(ident, set()).update(idents)
            root, row, head = self._union_find.root(ident, self._union_find.get_or_create(ident))
            head.needs_resolution = True
            self._nodes.put(root, row)

    def take_resolved(self, members: Container[Identifier]) -> Link | Command:
        """Forget those among ``members``, of which there is one at least; the last cause of them."""
        resolved = [ident for ident in self.causes if ident in members]
        for ident in resolved:
            del self.pairs[ident]
        return [self.causes.pop(ident) for ident in resolved][-1]
