"""Union-find, the answer for every link that surely breaks no limit: all links are accepted, so groups are components.

Components here have one lord (:mod:`~pipeline.identity.claims`), so the oldest member is the founder and its profile
survives, whichever tree is the larger. A union writes two rows, and a third where the link is kept in neither root.
"""

from typing import TypeAlias

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.identity.effects import Scribe
from pipeline.identity.forest import Forest, head_of
from pipeline.identity.messages import Link
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.sighting import edge_with, first_sighting, widen
from pipeline.identity.state import NEVER, UNJUDGED, Edge, Head, Node, fresh

Component: TypeAlias = tuple[Identifier, Node, Head]
"""Its root, the root's row and head."""


class FastPath:
    """Takes links one at a time and tells what they change; hands back those that need a closer look."""

    def __init__(self, book: Rulebook, forest: Forest, nodes: Table[Node], scribe: Scribe) -> None:
        self._scribe = scribe
        self._book = book
        self._forest = forest
        self._nodes = nodes

    def take(self, link: Link) -> tuple[Identifier, Identifier] | None:
        """Note the link; None if that is all. Else its ends, whose components must be resolved again."""
        strong, weak = link.anchor, link.other
        kinds = self._book.kinds
        above, below = kinds[strong.partition(":")[0]], kinds[weak.partition(":")[0]]
        if above.priority >= below.priority or below.household:
            strong, weak = self._book.ends(strong, weak)
            if strong == weak:
                return None
            above, below = self._book.kind(strong), self._book.kind(weak)
        node, peer = self._nodes.get(weak), self._nodes.get(strong) or fresh(strong)
        if node is None and peer.knot is None and not above.household:
            root, row, head = self._forest.root(strong, peer)
            if not head.tangled and self._book.fits_one(head, below.name) and self._book.takes_in(head, strong, below):
                self._welcome(weak, (root, row, head), first_sighting(strong, link), link)
                return None
        return self._consider(weak, node or fresh(weak), strong, peer, link)

    def _welcome(self, weak: Identifier, component: Component, edge: Edge, link: Link) -> None:
        """Take in an identifier without a row; if it is the oldest of all, the others go over to its profile."""
        ident, since_ms = self._elder(weak, edge)
        self._found(component, ident, since_ms, link)
        root, row, head = component
        self._attach(weak, root, row, head, edge)
        if head.founder != weak:
            self._scribe.welcome(weak, head.founder, link)

    def _attach(self, ident: Identifier, root: Identifier, row: Node, head: Head, edge: Edge) -> None:
        """Add an identifier that has no row to a component."""
        self._nodes.put(ident, Node(root, row.next, (edge,), None))
        row.next = ident
        head.size += 1
        kind = ident.partition(":")[0]
        head.tally[kind] = head.tally.get(kind, 0) + 1
        self._nodes.put(root, row)

    def _consider(
        self, weak: Identifier, node: Node, strong: Identifier, peer: Node, link: Link
    ) -> tuple[Identifier, Identifier] | None:
        edge = edge_with(node, strong)
        known, reordered = edge is not None, True
        if edge is None:
            edge = first_sighting(strong, link)
            if node.knot is not None and self._book.kind(strong).strong:
                edge.ended_ms = node.knot.left_ms
            node.edges += (edge,)
        else:
            first_seen_ms = edge.first_seen_ms
            if not widen(edge, link):
                return None
            reordered = edge.first_seen_ms < first_seen_ms
        a, root_a, head_a = self._forest.root(strong, peer)
        b, root_b, head_b = self._forest.root(weak, node)
        if not (head_a.tangled or head_b.tangled) and self._plain(strong, peer, weak, node, edge):
            if a == b and (not reordered or self._book.of_one_person(head_b)):
                self._nodes.put(weak, node)
                if self._found((b, root_b, head_b), *self._elder(weak, edge), link):
                    self._nodes.put(b, root_b)
                return None
            if a != b and self._book.fit(head_a, head_b) and self._book.of_one_person(head_a, head_b):
                if root_b is not node:
                    self._nodes.put(weak, node)
                self._join((a, root_a), (b, root_b), weak, edge, link)
                return None
        if not known:
            edge.held = UNJUDGED
        self._nodes.put(weak, node)
        return strong, weak

    def _plain(self, strong: Identifier, peer: Node, weak: Identifier, node: Node, edge: Edge) -> bool:
        """Whether nothing but the limits of their components can hold the link."""
        if node.knot is not None or peer.knot is not None or edge.ended_ms != NEVER:
            return False
        if self._book.kind(strong).household:
            return False
        if self._book.kind(weak).exclusive and len(node.edges) > 1:
            return False
        most = self._book.kind(weak).firebreak_above
        return not most or sum(self._book.counts(each.peer, weak) for each in node.edges) <= most

    def _join(
        self, one: tuple[Identifier, Node], two: tuple[Identifier, Node], weak: Identifier, edge: Edge, link: Link
    ) -> None:
        """Make the components of the stronger and the weaker end one: the eldest of all founds it."""
        head, other = head_of(one[1]), head_of(two[1])
        self._found((*one, head), edge.peer, edge.peer_ms, link)
        self._found((*two, other), weak, edge.first_seen_ms, link)
        if head.size < other.size:
            one, two, head, other = two, one, other, head
        if self._book.older(other.since_ms, other.founder, head.since_ms, head.founder):
            self._rename(*one, head.founder, other.founder, link)
            head.since_ms, head.founder = other.since_ms, other.founder
        else:
            self._rename(*two, other.founder, head.founder, link)
        head.size += other.size
        for kind, count in other.tally.items():
            head.tally[kind] = head.tally.get(kind, 0) + count
        self._forest.join(one, two)

    def _elder(self, weak: Identifier, edge: Edge) -> tuple[Identifier, int]:
        """The end of a link that was seen first, and when."""
        if self._book.older(edge.first_seen_ms, weak, edge.peer_ms, edge.peer):
            return weak, edge.first_seen_ms
        return edge.peer, edge.peer_ms

    def _found(self, component: Component, ident: Identifier, since_ms: int, link: Link) -> bool:
        """Let an identifier found the component, if it is the oldest. Whether that is news."""
        root, row, head = component
        if since_ms > head.since_ms or not self._book.older(since_ms, ident, head.since_ms, head.founder):
            return False
        self._rename(root, row, head.founder, ident, link)
        head.since_ms, head.founder = since_ms, ident
        return True

    def _rename(self, root: Identifier, row: Node, ended: Identifier, founder: Identifier, link: Link) -> None:
        """All members of the component belong to the founder's profile, if they do not yet."""
        if ended != founder:
            members = self._forest.members(root, row)
            self._scribe.follow(
                [(each, node.knot.contested if node.knot else []) for each, node in members], ended, founder, link
            )
