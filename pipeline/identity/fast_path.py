"""The fast path: union-find for links that cannot break a limit, so that customers equal connected components.

A component on this path has one lord (:mod:`~pipeline.identity.claims`). So its oldest member is the founder, and that
member's profile survives a union, whichever tree is larger. A union writes two rows, and a third if neither root keeps
the link.
"""

from typing import TypeAlias

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.identity.effects import EffectsRecorder
from pipeline.identity.messages import Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.sighting import edge_with, first_sighting, widen
from pipeline.identity.state import NEVER, UNRESOLVED, Edge, Head, Node, fresh
from pipeline.identity.union_find import UnionFind, head_of
from pipeline.identity.veto import MAX_FACTS

Component: TypeAlias = tuple[Identifier, Node, Head]
"""The root, its row and its head."""


class FastPath:
    """Applies links one at a time and records what they change. Returns the ends of links that need a rebuild."""

    def __init__(
        self, policy: IdentityPolicy, union_find: UnionFind, nodes: Table[Node], recorder: EffectsRecorder
    ) -> None:
        self._recorder = recorder
        self._policy = policy
        self._union_find = union_find
        self._nodes = nodes

    def take(self, link: Link) -> tuple[Identifier, ...] | None:
        """Applies the link. Returns None if that is all, else its ends, whose components must be resolved again."""
        strong, weak = link.anchor, link.other
        kinds = self._policy.kinds
        above, below = kinds[strong.partition(":")[0]], kinds[weak.partition(":")[0]]
        if above.must_agree or below.must_agree:
            return self._note_fact(link)
        if above.priority >= below.priority or below.household:
            strong, weak = self._policy.ends(strong, weak)
            if strong == weak:
                return None
            above, below = self._policy.kind(strong), self._policy.kind(weak)
        node, peer = self._nodes.get(weak), self._nodes.get(strong) or fresh(strong)
        if node is None and peer.state is None and not above.household:
            root, row, head = self._union_find.root(strong, peer)
            if (
                not head.needs_resolution
                and self._policy.fits_one(head, below.name)
                and self._policy.takes_in(head, strong, below)
            ):
                self._welcome(weak, (root, row, head), first_sighting(strong, link), link)
                return None
        return self._add_known(weak, node or fresh(weak), strong, peer, link)

    def _note_fact(self, link: Link) -> tuple[Identifier] | None:
        """Stores a fact in the row of what it is about. Returns it if its component must be resolved again."""
        fact, ident = self._policy.ends(link.anchor, link.other)
        if self._policy.kind(ident).must_agree:
            return None
        node = self._union_find.get_or_create(ident)
        edge, kind = edge_with(node, fact), fact.partition(":")[0]
        if edge is not None:
            if not widen(edge, link):
                return None
        elif sum(other.peer.partition(":")[0] == kind for other in node.edges) >= MAX_FACTS:
            return None
        else:
            edge = first_sighting(fact, link)
            node.edges += (edge,)
        self._nodes.put(ident, node)
        root, row, head = self._union_find.root(ident, node)
        if head.needs_resolution or edge.ended_ms != NEVER or head.facts.get(kind, fact) != fact:
            return (ident,)
        if kind not in head.facts:
            head.facts = {**head.facts, kind: fact}
            self._nodes.put(root, row)
        return None

    def _welcome(self, weak: Identifier, component: Component, edge: Edge, link: Link) -> None:
        """Adds an identifier without a row to a component. If it is the oldest, the others move to its profile."""
        ident, since_ms = self._elder(weak, edge)
        self._update_founder(component, ident, since_ms, link)
        root, row, head = component
        self._attach(weak, root, row, head, edge)
        if head.founder != weak:
            self._recorder.record_first_link(weak, head.founder, link)

    def _attach(self, ident: Identifier, root: Identifier, row: Node, head: Head, edge: Edge) -> None:
        """Writes the row of an identifier as a member of a component, and updates the head."""
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
        known, reordered = edge is not None, True
        if edge is None:
            edge = first_sighting(strong, link)
            if node.state is not None and self._policy.kind(strong).strong:
                edge.ended_ms = node.state.logged_out_ms
            node.edges += (edge,)
        else:
            first_seen_ms = edge.first_seen_ms
            if not widen(edge, link):
                return None
            reordered = edge.first_seen_ms < first_seen_ms
        a, root_a, head_a = self._union_find.root(strong, peer)
        b, root_b, head_b = self._union_find.root(weak, node)
        if not (head_a.needs_resolution or head_b.needs_resolution) and self._is_unrestricted(
            strong, peer, weak, node, edge
        ):
            if a == b and (not reordered or self._policy.of_one_person(head_b)):
                self._nodes.put(weak, node)
                if self._update_founder((b, root_b, head_b), *self._elder(weak, edge), link):
                    self._nodes.put(b, root_b)
                return None
            if a != b and self._policy.fit_together(head_a, head_b) and self._policy.of_one_person(head_a, head_b):
                if root_b is not node:
                    self._nodes.put(weak, node)
                self._join_components((a, root_a), (b, root_b), weak, edge, link)
                return None
        if not known:
            edge.rejection = UNRESOLVED
        self._nodes.put(weak, node)
        return strong, weak

    def _is_unrestricted(self, strong: Identifier, peer: Node, weak: Identifier, node: Node, edge: Edge) -> bool:
        """Returns whether only the limits of the two components could reject the link."""
        if node.state is not None or peer.state is not None or edge.ended_ms != NEVER:
            return False
        if self._policy.kind(strong).household:
            return False
        if self._policy.kind(weak).exclusive and len(node.edges) > 1:
            return False
        limit = self._policy.kind(weak).firebreak_above
        return not limit or sum(self._policy.counts(other.peer, weak) for other in node.edges) <= limit

    def _join_components(
        self, one: tuple[Identifier, Node], two: tuple[Identifier, Node], weak: Identifier, edge: Edge, link: Link
    ) -> None:
        """Joins the components of the stronger and the weaker end. The oldest member of both is the founder."""
        head, other = head_of(one[1]), head_of(two[1])
        self._update_founder((*one, head), edge.peer, edge.peer_ms, link)
        self._update_founder((*two, other), weak, edge.first_seen_ms, link)
        if head.size < other.size:
            one, two, head, other = two, one, other, head
        if self._policy.older(other.since_ms, other.founder, head.since_ms, head.founder):
            self._move_members(*one, head.founder, other.founder, link)
            head.since_ms, head.founder = other.since_ms, other.founder
        else:
            self._move_members(*two, other.founder, head.founder, link)
        head.size += other.size
        if other.facts:
            head.facts = {**head.facts, **other.facts}
        for kind, count in other.counts_by_type.items():
            head.counts_by_type[kind] = head.counts_by_type.get(kind, 0) + count
        self._union_find.attach(one, two)

    def _elder(self, weak: Identifier, edge: Edge) -> tuple[Identifier, int]:
        """Returns the end of a link that was seen first, and when, in ms since 1970."""
        if self._policy.older(edge.first_seen_ms, weak, edge.peer_ms, edge.peer):
            return weak, edge.first_seen_ms
        return edge.peer, edge.peer_ms

    def _update_founder(self, component: Component, ident: Identifier, since_ms: int, link: Link) -> bool:
        """Makes an identifier the founder if it is the oldest. Returns whether the founder or its time changed."""
        root, row, head = component
        if since_ms > head.since_ms or not self._policy.older(since_ms, ident, head.since_ms, head.founder):
            return False
        self._move_members(root, row, head.founder, ident, link)
        head.since_ms, head.founder = since_ms, ident
        return True

    def _move_members(self, root: Identifier, row: Node, ended: Identifier, founder: Identifier, link: Link) -> None:
        """Records the move of all members from the profile of ``ended`` to that of ``founder``, if they differ."""
        if ended != founder:
            if row.next == root == ended and row.state is None:  # alone: the most frequent move
                self._recorder.record_first_link(root, founder, link)
                return
            members = self._union_find.members(root, row)
            self._recorder.record_move(
                [(ident, node.state.contested if node.state else []) for ident, node in members], ended, founder, link
            )
