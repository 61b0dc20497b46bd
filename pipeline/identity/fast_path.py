"""Union-find, the answer for every link that surely breaks no limit: all links are accepted, so groups are components.

The oldest founder's profile survives, whichever tree is the larger. A union writes two rows, and a third where the
link is kept in neither root.
"""

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.identity.effects import EffectsRecorder
from pipeline.identity.messages import Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.sighting import edge_with, first_sighting, widen
from pipeline.identity.state import NEVER, UNRESOLVED, Edge, Head, Node, fresh
from pipeline.identity.union_find import UnionFind, head_of


class FastPath:
    """Takes links one at a time and tells what they change; hands back those that need a closer look."""

    def __init__(
        self, policy: IdentityPolicy, union_find: UnionFind, nodes: Table[Node], recorder: EffectsRecorder
    ) -> None:
        self._recorder = recorder
        self._policy = policy
        self._union_find = union_find
        self._nodes = nodes

    def take(self, link: Link) -> tuple[Identifier, Identifier] | None:
        """Note the link; None if that is all. Else its ends, whose components must be resolved again."""
        strong, weak = link.anchor, link.other
        kinds = self._policy.kinds
        above, below = kinds[strong.partition(":")[0]], kinds[weak.partition(":")[0]]
        if above.priority >= below.priority or below.household:
            strong, weak = self._policy.ends(strong, weak)
            if strong == weak:
                return None
            above, below = self._policy.kind(strong), self._policy.kind(weak)
        node, peer = self._nodes.get(weak), self._nodes.get(strong) or fresh(strong)
        if node is None and peer.state is None and not above.household:
            root, row, head = self._union_find.root(strong, peer)
            if not head.needs_resolution and self._policy.fits_one(head, below.name):
                self._update_founder(root, row, head, strong, link)
                self._attach(weak, root, row, head, first_sighting(strong, link))
                self._recorder.record_first_link(weak, head.founder, link)
                return None
        return self._add_known(weak, node or fresh(weak), strong, peer, link)

    def _attach(self, ident: Identifier, root: Identifier, row: Node, head: Head, edge: Edge) -> None:
        """Add an identifier that has no row to a component."""
        self._nodes.put(ident, Node(root, row.next, (edge,), None))
        row.next = ident
        head.size += 1
        kind = ident.partition(":")[0]
        head.counts_by_type[kind] = head.counts_by_type.get(kind, 0) + 1
        self._nodes.put(root, row)

    def _add_known(
        self, weak: Identifier, node: Node, strong: Identifier, peer: Node, link: Link
    ) -> tuple[Identifier, Identifier] | None:
        edge = edge_with(node, strong)
        known = edge is not None
        if edge is None:
            edge = first_sighting(strong, link)
            if node.state is not None and self._policy.kind(strong).strong:
                edge.ended_ms = node.state.logged_out_ms
            node.edges += (edge,)
        elif not widen(edge, link):
            return None
        a, root_a, head_a = self._union_find.root(strong, peer)
        b, root_b, head_b = self._union_find.root(weak, node)
        if not (head_a.needs_resolution or head_b.needs_resolution) and self._is_unrestricted(
            strong, peer, weak, node, edge
        ):
            if a == b:
                self._nodes.put(weak, node)
                if self._update_founder(b, root_b, head_b, strong, link):
                    self._nodes.put(b, root_b)
                return None
            if self._policy.fit_together(head_a, head_b):
                if root_b is not node:
                    self._nodes.put(weak, node)
                self._join_components((a, root_a), (b, root_b), strong, link)
                return None
        if not known:
            edge.rejection = UNRESOLVED
        self._nodes.put(weak, node)
        return strong, weak

    def _is_unrestricted(self, strong: Identifier, peer: Node, weak: Identifier, node: Node, edge: Edge) -> bool:
        """Whether nothing but the limits of their components can hold the link."""
        if node.state is not None or peer.state is not None or edge.ended_ms != NEVER:
            return False
        if self._policy.kind(strong).household:
            return False
        limit = self._policy.kind(weak).firebreak_above
        return not limit or sum(self._policy.counts(other.peer, weak) for other in node.edges) <= limit

    def _join_components(
        self, one: tuple[Identifier, Node], two: tuple[Identifier, Node], strong: Identifier, link: Link
    ) -> None:
        """Make two components one: the eldest of both and of the link founds it."""
        head, other = head_of(one[1]), head_of(two[1])
        if head.size < other.size:
            one, two, head, other = two, one, other, head
        self._update_founder(*one, head, strong, link)
        if self._policy.older(other.since_ms, other.founder, head.since_ms, head.founder):
            self._move_members(*one, head.founder, other.founder, link)
            head.since_ms, head.founder = other.since_ms, other.founder
        else:
            self._move_members(*two, other.founder, head.founder, link)
        head.size += other.size
        for kind, count in other.counts_by_type.items():
            head.counts_by_type[kind] = head.counts_by_type.get(kind, 0) + count
        self._union_find.attach(one, two)

    def _update_founder(self, root: Identifier, row: Node, head: Head, strong: Identifier, link: Link) -> bool:
        """Let the link's stronger end found the component, if that was never seen so early. Whether it did."""
        since_ms = link.first_seen_ms
        if since_ms > head.since_ms or not self._policy.older(since_ms, strong, head.since_ms, head.founder):
            return False
        self._move_members(root, row, head.founder, strong, link)
        head.since_ms, head.founder = since_ms, strong
        return True

    def _move_members(self, root: Identifier, row: Node, ended: Identifier, founder: Identifier, link: Link) -> None:
        """All members of the component belong to the founder's profile, if they do not yet."""
        if ended != founder:
            members = self._union_find.members(root, row)
            self._recorder.record_move(
                [(ident, node.state.contested if node.state else []) for ident, node in members], ended, founder, link
            )
