"""Union-find with path halving over rows: which component an identifier is in, and who else is."""

from collections.abc import Iterator

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.identity.state import ALONE, Head, Node


class Forest:
    """Components as trees (to find the root) and as circles (to list the members), by size, smaller under larger."""

    def __init__(self, nodes: Table[Node]) -> None:
        self._nodes = nodes

    def plant(self, ident: Identifier) -> Node:
        """The identifier's row; a new one, for the caller to put, is a component of its own."""
        node = self._nodes.get(ident)
        if node is None:
            node = Node(parent="", next=ident, edges=[], head=Head(1, ALONE, ident))
        return node

    def root(self, ident: Identifier, node: Node) -> tuple[Identifier, Node]:
        """The root above ``node``, which is the row of ``ident``; halves the path on the way."""
        while node.parent:
            parent = self._row(node.parent)
            if not parent.parent:
                return node.parent, parent
            node.parent = parent.parent
            self._nodes.put(ident, node)
            ident = node.parent
            node = self._row(ident)
        return ident, node

    def members(self, ident: Identifier, node: Node) -> Iterator[tuple[Identifier, Node]]:
        """Every member of the component, starting at ``ident`` with its row; reads each row when it is its turn."""
        yield ident, node
        following = node.next
        while following != ident:
            node = self._row(following)
            member, following = following, node.next
            yield member, node

    def join(self, a: Identifier, root_a: Node, b: Identifier, root_b: Node) -> tuple[Identifier, Node, Head]:
        """Put the smaller of two components under the larger's root and write both roots but for the new head.

        The caller fills in the returned head's founder and puts the returned root.
        """
        head_a, head_b = head_of(root_a), head_of(root_b)
        if head_a.size < head_b.size:
            a, root_a, head_a, b, root_b, head_b = b, root_b, head_b, a, root_a, head_a
        root_a.next, root_b.next = root_b.next, root_a.next
        root_b.parent, root_b.head = a, None
        head_a.size += head_b.size
        self._nodes.put(b, root_b)
        return a, root_a, head_a

    def _row(self, ident: Identifier) -> Node:
        node = self._nodes.get(ident)
        if node is None:
            message = f"the row of {ident.partition(':')[0]} identifier is gone; restore the state from its changelog"
            raise LookupError(message)
        return node


def head_of(root: Node) -> Head:
    """The head of a root's row."""
    if root.head is None:
        message = "a root without a head; restore the state from its changelog"
        raise LookupError(message)
    return root.head
