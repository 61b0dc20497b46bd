"""Union-find with path halving over stored rows: finds the component of an identifier and its members."""

from collections.abc import Iterator

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.identity.state import Head, Node, fresh


class UnionFind:
    """Components as trees (to find the root) and as circles (to list the members). Unions are by size."""

    def __init__(self, nodes: Table[Node]) -> None:
        self._nodes = nodes

    def get_or_create(self, ident: Identifier) -> Node:
        """Returns the identifier's row, or a new row as a component of its own, which the caller must put."""
        return self._nodes.get(ident) or fresh(ident)

    def root(self, ident: Identifier, node: Node) -> tuple[Identifier, Node, Head]:
        """Returns the root of ``ident``, whose row is ``node``, with the root's row and head. Halves the path."""
        while node.head is None:
            parent = self.row(node.parent)
            if parent.head is None:
                node.parent = parent.parent
                self._nodes.put(ident, node)
                ident = node.parent
                node = self.row(ident)
            else:
                ident, node = node.parent, parent
        return ident, node, node.head

    def founder(self, ident: Identifier) -> Identifier:
        """Returns the founder of the identifier's profile; the identifier itself if it was never linked."""
        node = self._nodes.get(ident)
        if node is None:
            return ident
        if node.state is not None and node.state.founder:
            return node.state.founder
        return self.root(ident, node)[2].founder

    def members(self, ident: Identifier, node: Node) -> Iterator[tuple[Identifier, Node]]:
        """Yields every member of the component with its row, starting at ``ident``. Reads the rows lazily."""
        yield ident, node
        following = node.next
        while following != ident:
            node = self.row(following)
            member, following = following, node.next
            yield member, node

    def attach(self, over: tuple[Identifier, Node], under: tuple[Identifier, Node]) -> None:
        """Attaches one component to the root of another, whose head must be up to date. Puts both roots."""
        (a, root_a), (b, root_b) = over, under
        root_a.next, root_b.next = root_b.next, root_a.next
        root_b.parent, root_b.head = a, None
        self._nodes.put(b, root_b)
        self._nodes.put(a, root_a)

    def row(self, ident: Identifier) -> Node:
        """Returns the row of an identifier that another row names. Raises LookupError if it is missing."""
        node = self._nodes.get(ident)
        if node is None:
            message = f"the row of a {ident.partition(':')[0]} is missing; restore this partition from its changelog"
            raise LookupError(message)
        return node


def head_of(root: Node) -> Head:
    """Returns the head of a root's row. Raises LookupError if it has none."""
    if root.head is None:
        message = "a root row has no head; restore this partition from its changelog"
        raise LookupError(message)
    return root.head
