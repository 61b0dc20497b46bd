"""STITCH's brain: links and commands in, assignments, moves and public changes out.

1. Note the link in the row of its weaker end; a known one only widens its extremes.
2. Find both components by union-find with path halving.
3. If together they surely break no limit, join them: every link is accepted, the oldest founder's profile survives.
4. Tell the members whose profile that changes, and alias the profile that ended.
5. Where a limit may break, resolve those components again from their stored links, once, at the end of the batch.
"""

from collections.abc import Sequence

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.commands import LINES, apply
from pipeline.identity.dirty import Dirty
from pipeline.identity.effects import Scribe, StitchEffects
from pipeline.identity.forest import Forest, head_of
from pipeline.identity.messages import Command, Link
from pipeline.identity.profile_id import profile_id
from pipeline.identity.rebuild import Rebuilder
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.rules import IdentityRules
from pipeline.identity.sighting import edge_with, first_sighting, widen
from pipeline.identity.state import NEVER, UNJUDGED, Counter, Edge, Head, Node, StitchTables
from pipeline.identity.verdict import Verdict


class Stitcher:
    """One tenant's identities. Links may come late, twice and in any order; only new facts have effects.

    After every batch the state equals :func:`~pipeline.identity.resolve.resolve` over all links and commands so far.
    """

    def __init__(self, tenant: str, rules: IdentityRules, tables: StitchTables) -> None:
        self._tenant = tenant
        self._book = Rulebook(rules)
        self._tables = tables
        self._nodes = tables.nodes
        self._forest = Forest(tables.nodes)
        self._rebuilder = Rebuilder(self._book, self._forest, tables.nodes)
        self._dirty = Dirty(self._forest, tables.nodes)
        self._scribe = Scribe(tenant, tables.aliases, 0)

    def on_links(self, messages: Sequence[Link | Command], now_ms: int) -> StitchEffects:  # noqa: ARG002 - every stage's form
        """Take a batch in log order; the state rows are put, the records are returned for the shell to send."""
        counter = self._tables.counters.get("") or Counter(0)
        self._scribe = Scribe(self._tenant, self._tables.aliases, counter.seq)
        for message in messages:
            if isinstance(message, Link):
                self._take(message)
            else:
                self._command(message)
        while self._dirty.causes:
            outcome = self._rebuilder.rebuild(next(iter(self._dirty.causes)), self._dirty.pairs)
            cause = self._dirty.settled(outcome.members)
            Verdict(outcome, cause, self._book, self._forest, self._scribe).tell()
        if self._scribe.seq != counter.seq:
            self._tables.counters.put("", Counter(self._scribe.seq))
        return self._scribe.effects

    def profile_of(self, ident: Identifier) -> str:
        """The id of the profile that owns the identifier now; every identifier has one, known or not."""
        return profile_id(self._tenant, self._forest.founder(ident))

    def current(self, profile: str) -> str:
        """Today's id of a profile that may have been merged away: aliases are readable for ever."""
        founder = self._tables.aliases.get(profile)
        return profile if founder is None else self.profile_of(founder)

    def _command(self, command: Command) -> None:
        ends = (command.a, command.b) if command.b else (command.a,)
        apply(command, self._book, self._forest, self._nodes)
        founders = self._forest.founder(ends[0]), self._forest.founder(ends[-1])
        self._scribe.note(LINES[command.kind], founders, list(ends), command, reason=Reason.COMMAND)
        self._dirty.add(ends, command)

    def _take(self, link: Link) -> None:
        strong, weak = self._book.ends(link.anchor, link.other)
        if strong == weak:
            return
        node = self._forest.plant(weak)
        edge = edge_with(node, strong)
        known = edge is not None
        if edge is None:
            edge = first_sighting(strong, link)
            node.edges.append(edge)
        elif not widen(edge, link):
            return
        peer = self._forest.plant(strong)
        a, root_a, head_a = self._forest.root(strong, peer)
        b, root_b, head_b = self._forest.root(weak, node)
        if not (head_a.tangled or head_b.tangled) and self._plain(strong, peer, weak, node, edge):
            if a == b:
                self._nodes.put(weak, node)
                self._backdate(a, root_a, strong, link)
                return
            if self._book.fit(head_a, head_b):
                if root_b is not node:
                    self._nodes.put(weak, node)
                self._join((a, root_a), (b, root_b), strong, link)
                return
        if not known:
            edge.held = UNJUDGED
        self._nodes.put(weak, node)
        self._dirty.add((strong, weak), link)

    def _plain(self, strong: Identifier, peer: Node, weak: Identifier, node: Node, edge: Edge) -> bool:
        """Whether nothing but the limits of their components can hold the link."""
        if node.knot is not None or peer.knot is not None or edge.ended_ms != NEVER:
            return False
        kind = self._book.kind(weak)
        if kind.household or self._book.kind(strong).household:
            return False
        most = kind.firebreak_above
        return not most or sum(self._book.counts(each.peer, weak) for each in node.edges) <= most

    def _join(self, one: tuple[Identifier, Node], two: tuple[Identifier, Node], strong: Identifier, link: Link) -> None:
        head_a, head_b = head_of(one[1]), head_of(two[1])
        since_ms, founder = self._eldest(head_a, link.first_seen_ms, strong)
        since_ms, founder = self._eldest(head_b, since_ms, founder)
        self._rename(*one, founder, link)
        self._rename(*two, founder, link)
        tally = dict(head_a.tally)
        for kind, count in head_b.tally.items():
            tally[kind] = tally.get(kind, 0) + count
        self._forest.join(one, two, Head(head_a.size + head_b.size, since_ms, founder, tally))

    def _backdate(self, root: Identifier, row: Node, strong: Identifier, link: Link) -> None:
        """A sighting older than all known makes its stronger end the founder."""
        head = head_of(row)
        since_ms, founder = self._eldest(head, link.first_seen_ms, strong)
        if (since_ms, founder) != (head.since_ms, head.founder):
            self._rename(root, row, founder, link)
            head.since_ms, head.founder = since_ms, founder
            self._nodes.put(root, row)

    def _eldest(self, head: Head, since_ms: int, founder: Identifier) -> tuple[int, Identifier]:
        if self._book.older(since_ms, founder, head.since_ms, head.founder):
            return since_ms, founder
        return head.since_ms, head.founder

    def _rename(self, root: Identifier, row: Node, founder: Identifier, link: Link) -> None:
        """The component's profile ends and all its members belong to the founder's, if they do not yet."""
        ended = head_of(row).founder
        if ended != founder:
            moved = [
                (ident, node.knot.contested if node.knot else []) for ident, node in self._forest.members(root, row)
            ]
            self._scribe.follow(moved, ended, founder, link)
