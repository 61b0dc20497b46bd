"""Which components must be resolved again before the batch ends, and what made it so."""

from collections.abc import Container

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.identity.forest import Forest
from pipeline.identity.messages import Command, Link
from pipeline.identity.state import Node


class Dirty:
    """Identifiers whose component waits. It is marked tangled at once, so that no fast path trusts it meanwhile."""

    def __init__(self, forest: Forest, nodes: Table[Node]) -> None:
        self.pairs: dict[Identifier, set[Identifier]] = {}
        """Ends of the batch's links that are not joined yet: one is never looked at without the other."""
        self.causes: dict[Identifier, Link | Command] = {}
        """What made each identifier wait, the longest waiting first; of several the last."""
        self._forest = forest
        self._nodes = nodes

    def add(self, idents: tuple[Identifier, ...], cause: Link | Command) -> None:
        """Remember an identifier or both ends of a link. Puts their roots, and rows for those that have none."""
        for ident in idents:
            self.causes.pop(ident, None)
            self.causes[ident] = cause
            self.pairs.setdefault(ident, set()).update(idents)
            root, row, head = self._forest.root(ident, self._forest.plant(ident))
            head.tangled = True
            self._nodes.put(root, row)

    def settled(self, members: Container[Identifier]) -> Link | Command:
        """Forget those among ``members``, of which there is one at least; the last cause of them."""
        done = [ident for ident in self.causes if ident in members]
        for ident in done:
            del self.pairs[ident]
        return [self.causes.pop(ident) for ident in done][-1]
