"""Union-find with path halving over rows: which component an identifier is in, and who else is."""

from collections.abc import Iterator

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.identity.state import Head, Node, fresh


class UnionFind:
    """Components as trees (to find the root) and as circles (to list the members), by size, smaller under larger."""

    def __init__(self, nodes: Table[Node]) -> None:
        self._nodes = nodes

    def get_or_create(self, ident: Identifier) -> Node:
        """The identifier's row; a new one, for the caller to put, is a component of its own."""
        return self._nodes.get(ident) or fresh(ident)

    def root(self, ident: Identifier, node: Node) -> tuple[Identifier, Node, Head]:
        """The root above ``node``, which is the row of ``ident``, and its head; halves the path on the way."""
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
        """The identifier that the profile of this one is named after; itself, if it was never linked."""
        node = self._nodes.get(ident)
        if node is None:
            return ident
        if node.state is not None and node.state.founder:
            return node.state.founder
        return self.root(ident, node)[2].founder

    def members(self, ident: Identifier, node: Node) -> Iterator[tuple[Identifier, Node]]:
        """Every member of the component, starting at ``ident`` with its row; reads each row when it is its turn."""
        yield ident, node
        following = node.next
        while following != ident:
            node = self.row(following)
            member, following = following, node.next
            yield member, node

    def attach(self, over: tuple[Identifier, Node], under: tuple[Identifier, Node]) -> None:
        """Put one component under the root of another, whose head is up to date already; puts both roots."""
        (a, root_a), (b, root_b) = over, under
        root_a.next, root_b.next = root_b.next, root_a.next
        root_b.parent, root_b.head = a, None
        self._nodes.put(b, root_b)
        self._nodes.put(a, root_a)

    def row(self, ident: Identifier) -> Node:
        """The row of an identifier that another row names."""
        node = self._nodes.get(ident)
        if node is None:
            message = f"the row of a {ident.partition(':')[0]} is gone; restore this partition from its changelog"
            raise LookupError(message)
        return node


def head_of(root: Node) -> Head:
    """The head of a root's row."""
    if root.head is None:
        message = "a root without a head; restore this partition from its changelog"
        raise LookupError(message)
    return root.head
