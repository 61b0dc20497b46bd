"""STITCH's brain: links in, assignments, moves and public changes out.

1. Note the link in the row of its weaker end; a known one only widens its extremes.
2. Find both components by union-find with path halving.
3. Choose the founder: the oldest of both components and of the link itself.
4. Tell the members whose profile that changes, and alias the profile that ended.
5. Join the components, the smaller tree under the larger.
"""

from collections.abc import Sequence

from pipeline.event.identifier import Identifier
from pipeline.identity.effects import StitchEffects
from pipeline.identity.forest import Forest, head_of
from pipeline.identity.messages import Assignment, IdentityChange, Link, Move
from pipeline.identity.profile_id import profile_id
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.rules import IdentityRules
from pipeline.identity.state import Counter, Edge, Head, Node, StitchTables


class Stitcher:
    """One tenant's identities. Links may come late, twice and in any order; only new facts have effects."""

    def __init__(self, tenant: str, rules: IdentityRules, tables: StitchTables) -> None:
        self._tenant = tenant
        self._book = Rulebook(rules)
        self._nodes = tables.nodes
        self._aliases = tables.aliases
        self._counters = tables.counters
        self._forest = Forest(tables.nodes)
        self._effects = StitchEffects()
        self._seq = 0
        self._now_ms = 0

    def on_links(self, links: Sequence[Link], now_ms: int) -> StitchEffects:
        """Take a batch in log order; the state rows are put, the records are returned for the shell to send."""
        counter = self._counters.get("") or Counter(0)
        self._effects = StitchEffects()
        self._seq, self._now_ms = counter.seq, now_ms
        for link in links:
            self._take(link)
        if self._seq != counter.seq:
            self._counters.put("", Counter(self._seq))
        return self._effects

    def profile_of(self, ident: Identifier) -> str:
        """The id of the profile that owns the identifier now; every identifier has one, known or not."""
        node = self._nodes.get(ident)
        if node is None:
            return profile_id(self._tenant, ident)
        _, root = self._forest.root(ident, node)
        return profile_id(self._tenant, head_of(root).founder)

    def current(self, profile: str) -> str:
        """Today's id of a profile that may have been merged away: aliases are readable for ever."""
        founder = self._aliases.get(profile)
        return profile if founder is None else self.profile_of(founder)

    def _take(self, link: Link) -> None:
        strong, weak = self._book.ends(link.anchor, link.other)
        if strong == weak:
            return
        node = self._forest.plant(weak)
        if not _note(node, strong, link):
            return
        self._nodes.put(weak, node)
        a, root_a = self._forest.root(strong, self._forest.plant(strong))
        b, root_b = self._forest.root(weak, node)
        head = head_of(root_a)
        since_ms, founder = self._eldest(head, link.first_seen_ms, strong)
        if a == b:
            if (since_ms, founder) == (head.since_ms, head.founder):
                return
            self._rename(a, root_a, founder, link)
        else:
            since_ms, founder = self._eldest(head_of(root_b), since_ms, founder)
            self._rename(a, root_a, founder, link)
            self._rename(b, root_b, founder, link)
            a, root_a, head = self._forest.join(a, root_a, b, root_b)
        head.since_ms, head.founder = since_ms, founder
        self._nodes.put(a, root_a)

    def _eldest(self, head: Head, since_ms: int, founder: Identifier) -> tuple[int, Identifier]:
        if self._book.older(since_ms, founder, head.since_ms, head.founder):
            return since_ms, founder
        return head.since_ms, head.founder

    def _rename(self, root: Identifier, row: Node, founder: Identifier, link: Link) -> None:
        """The component's profile ends and all its members belong to the founder's, if they do not yet."""
        ended = head_of(row).founder
        if ended == founder:
            return
        tenant, effects = self._tenant, self._effects
        self._seq = seq = self._seq + 1
        moved = [ident for ident, _ in self._forest.members(root, row)]
        source, target = profile_id(tenant, ended), profile_id(tenant, founder)
        assignment = Assignment(target, seq)
        effects.assignments += [(ident, assignment) for ident in moved]
        effects.moves += [Move(tenant, ident, source, target, seq) for ident in moved]
        effects.changes.append(
            IdentityChange(
                "merged", tenant, seq, target, source, founder, moved, "", "linked",
                link.event_id, link.source, "", "", self._now_ms,
            )
        )  # fmt: skip
        if self._aliases.get(source) is None:
            self._aliases.put(source, ended)


def _note(node: Node, strong: Identifier, link: Link) -> bool:
    """Keep the link in its weaker end's row; False if nothing about it is new."""
    for edge in node.edges:
        if edge.peer == strong:
            return _widen(edge, link)
    node.edges.append(Edge(strong, link.first_seen_ms, link.last_seen_ms, link.count, link.source, link.event_id))
    return True


def _widen(edge: Edge, link: Link) -> bool:
    known = (edge.first_seen_ms, edge.last_seen_ms, edge.count)
    if link.first_seen_ms < edge.first_seen_ms:
        edge.first_seen_ms, edge.source, edge.event_id = link.first_seen_ms, link.source, link.event_id
    edge.last_seen_ms = max(edge.last_seen_ms, link.last_seen_ms)
    edge.count = max(edge.count, link.count)
    return known != (edge.first_seen_ms, edge.last_seen_ms, edge.count)
