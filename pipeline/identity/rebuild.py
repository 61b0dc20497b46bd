"""Resolve some components again from their stored links, and write down the components and customers they make.

1. Gather whole components, and those that links reach which are open only now.
2. Screen their links: who is behind a firebreak, suppressed, expired.
3. Settle the open ones within the limits: groups and held links.
4. Forget what is beyond the bounds, lightest first, and start again from what is left.
5. Write every component as a flat tree and a circle; put only rows that changed.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.event.reason import Reason
from pipeline.identity.bounds import idle_links, trimmed
from pipeline.identity.claims import Claims, claims_of
from pipeline.identity.contest import contested_by
from pipeline.identity.decisions import Bond
from pipeline.identity.forest import Forest
from pipeline.identity.resolve import named
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.screen import Held, Screened, rule_of, screen
from pipeline.identity.settle import Settled, settle
from pipeline.identity.state import FOREVER, UNJUDGED, Edge, Head, Knot, Node

NO_KNOT = Knot()


class Member(msgspec.Struct):
    """One identifier under reconsideration: its row, how things stood, and how they stand."""

    node: Node
    row: tuple[Identifier, Identifier, Head | None, Knot | None]
    """The row's fields as they were, but for the edges."""
    before: Identifier
    """Founder of its profile so far."""
    founder: Identifier
    knot: Knot
    edges_changed: bool = False

    @property
    def closed_before(self) -> str:
        """Why it linked to nothing so far."""
        return self.row[3].closed if self.row[3] is not None else ""

    @property
    def contested_before(self) -> list[Identifier]:
        """What INTAKE was last told to pass on."""
        return self.row[3].contested if self.row[3] is not None else []


class Outcome(msgspec.Struct):
    """What the rebuilding found, for :mod:`~pipeline.identity.verdict` to tell."""

    members: dict[Identifier, Member]
    held: list[tuple[Held, str]]
    """Links held for a reason that was not told before, each with the reason told before."""
    forgotten: list[Held]
    """Links beyond the bounds: held by limits, and memberships of households."""
    parted: list[Bond]
    """Links whose ends became of different customers, or of one again, for the anchor's ledger to be told."""


class Rebuilder:
    """The slow path. Its cost is bounded by the rules' caps; what it writes depends on the stored links alone."""

    def __init__(self, book: Rulebook, forest: Forest, nodes: Table[Node]) -> None:
        self._book = book
        self._forest = forest
        self._nodes = nodes

    def rebuild(self, seed: Identifier, pairs: Mapping[Identifier, AbstractSet[Identifier]]) -> Outcome:
        """Reconsider the component of ``seed`` with all that its links and the batch's ``pairs`` lead to."""
        members: dict[Identifier, Member] = {}
        forgotten: list[Held] = []
        self._gather([seed], pairs, members)
        while True:
            bonds, screened = self._survey(members, pairs)
            settled = settle(screened.open, self._book)
            excess = self._excess(members, screened, settled)
            if not excess:
                break
            for held in excess:
                _drop(members[held.bond.weak], held.bond.strong)
            forgotten += excess
        new = {id(bond) for bond in bonds if bond.edge.held == UNJUDGED}
        told = _retold(screened.held + settled.held, bonds, members)
        logouts = {ident: member.knot.first_logout_ms for ident, member in members.items()}
        claims = claims_of(screened.claiming, self._book, logouts)
        founder_of = named({ident: ident for ident in members} | settled.group_of, claims, self._book)
        forgotten += self._judge(members, bonds, screened, settled, founder_of)
        parted = _parted(bonds, new, members, self._book)
        forgotten += self._bound(members, screened)
        for component in _components(members, screened.claiming):
            self._write(component, members, claims)
        return Outcome(members, told, forgotten, parted)

    def _survey(
        self, members: dict[Identifier, Member], pairs: Mapping[Identifier, AbstractSet[Identifier]]
    ) -> tuple[list[Bond], Screened]:
        """The members' links, screened, once all that they lead to are members too."""
        while True:
            bonds = _bonds(members)
            suppressed = {ident for ident, member in members.items() if member.knot.suppressed}
            trusted = {ident for ident, member in members.items() if member.knot.trusted}
            screened = screen(bonds, self._book, suppressed, trusted)
            outside = _reached(members, screened)
            if not outside:
                return bonds, screened
            self._gather(outside, pairs, members)

    def _gather(
        self,
        seeds: Iterable[Identifier],
        pairs: Mapping[Identifier, AbstractSet[Identifier]],
        members: dict[Identifier, Member],
    ) -> None:
        waiting = sorted(seeds)
        while waiting:
            ident = waiting.pop()
            if ident in members:
                continue
            root, row, head = self._forest.root(ident, self._forest.plant(ident))
            for each, node in self._forest.members(root, row):
                knot = node.knot or NO_KNOT
                state = (node.parent, node.next, node.head, node.knot)
                members[each] = Member(node, state, knot.founder or head.founder, each, knot)
                waiting += pairs.get(each, ())

    def _judge(
        self,
        members: dict[Identifier, Member],
        bonds: list[Bond],
        screened: Screened,
        settled: Settled,
        founder_of: Mapping[Identifier, Identifier],
    ) -> list[Held]:
        """Give every member its founder and a knot with all but the founder; who found no room in a household."""
        reasons = {(each.bond.strong, each.bond.weak): each.reason for each in screened.held + settled.held}
        contested = contested_by(bonds, reasons, screened.closed, self._book)
        weaker: dict[Identifier, set[Identifier]] = {}
        gone: dict[Identifier, set[Identifier]] = {}
        for bond in bonds:
            if bond.strong in screened.closed:  # a link that somebody logged out of may be revived when this opens
                (gone if bond.edge.ended_ms == FOREVER else weaker).setdefault(bond.strong, set()).add(bond.weak)
        turned_away: list[Held] = []
        for ident, member in members.items():
            member.founder = founder_of[ident]
            before = member.knot
            elsewhere = {end for end in before.contested if end not in members}
            member.knot = Knot(
                contested=sorted(elsewhere | contested.get(ident, set())),
                suppressed=before.suppressed,
                trusted=before.trusted,
                forgetful=before.forgetful,
                left_ms=before.left_ms,
                first_logout_ms=before.first_logout_ms,
                closed=str(screened.closed.get(ident, "")),
            )
            if member.knot.closed:
                kept = [weak for weak in before.weaker if weak not in gone.get(ident, ())]
                new = sorted(weaker.get(ident, set()) - set(kept))
                room = max(0, self._book.rules.max_links - len(kept))
                member.knot.weaker = kept + new[:room]
                turned_away += self._turn_away(ident, new[room:], members)
        return turned_away

    def _turn_away(self, ident: Identifier, weaker: list[Identifier], members: dict[Identifier, Member]) -> list[Held]:
        """Links of a closed identifier beyond the bound of those it must look for when it opens wait to be seen again.

        Returns those that made somebody a member of a household.
        """
        found: list[Held] = []
        for weak in weaker:
            members[weak].edges_changed = True
            for edge in members[weak].node.edges:
                if edge.peer == ident:
                    found += self._membership(weak, edge)
                    edge.ended_ms, edge.held = max(edge.ended_ms, edge.last_seen_ms), Reason.LOGGED_OUT.value
        return found

    def _excess(self, members: dict[Identifier, Member], screened: Screened, settled: Settled) -> list[Held]:
        """The lightest held links of every component that has more links than are kept."""
        most = self._book.rules.max_links
        if len(screened.open) <= most:
            return []
        excess: list[Held] = []
        idle = idle_links(screened, settled.held)
        for component in _components(members, screened.claiming):
            within = set(component)
            links = sum(bond.weak in within for bond in screened.open)
            excess += [each for each in idle if each.bond.weak in within][::-1][: max(0, links - most)]
        return excess

    def _bound(self, members: dict[Identifier, Member], screened: Screened) -> list[Held]:
        """Keep rows small; the links forgotten that made somebody a member of a household."""
        found: list[Held] = []
        for ident, member in members.items():
            knot, node = member.knot, member.node
            if knot.trusted:
                continue
            first = screened.first.get(ident)
            edges = trimmed(ident, node.edges, knot.closed, "" if first is None else first.strong, self._book)
            if edges is not node.edges:
                kept = {edge.peer for edge in edges}
                for edge in node.edges:
                    if edge.peer not in kept:
                        found += self._membership(ident, edge)
                member.edges_changed, node.edges, knot.forgetful = True, edges, True
        return found

    def _membership(self, weak: Identifier, edge: Edge) -> list[Held]:
        """The link, if it makes its weaker end a member of a household."""
        if edge.held != Reason.HOUSEHOLD:
            return []
        return [Held(Bond(edge.peer, weak, edge), Reason.HOUSEHOLD, rule_of(edge.peer, Reason.HOUSEHOLD, self._book))]

    def _write(self, component: list[Identifier], members: dict[Identifier, Member], claims: Claims) -> None:
        founders = {members[ident].founder for ident in component}
        founder = founders.pop() if len(founders) == 1 else ""
        tally: dict[str, int] = {}
        for ident in component:
            kind = ident.partition(":")[0]
            tally[kind] = tally.get(kind, 0) + 1
        head = Head(len(component), claims.seen_ms.get(founder, FOREVER), founder, tally)
        head.tangled = not (
            founder
            and self._book.roomy(head)
            and len({claims.lord_of.get(ident, ident) for ident in component}) == 1
            and not claims.disputed.intersection(component)
            and not any(edge.apart for ident in component for edge in members[ident].node.edges)
        )
        for ident, following in zip(component, component[1:] + component[:1], strict=True):
            member, node = members[ident], members[ident].node
            member.knot.founder = "" if founder else member.founder
            first = ident == component[0]
            node.parent, node.next = "" if first else component[0], following
            node.head, node.knot = head if first else None, None if member.knot == NO_KNOT else member.knot
            if member.edges_changed or (node.parent, node.next, node.head, node.knot) != member.row:
                self._nodes.put(ident, node)


def _bonds(members: dict[Identifier, Member]) -> list[Bond]:
    return [
        Bond(edge.peer, ident, edge) for ident, member in members.items() for edge in member.node.edges if edge.count
    ]


def _reached(members: dict[Identifier, Member], screened: Screened) -> AbstractSet[Identifier]:
    """Whom claiming links lead to that are not among the members yet; and all around one that just closed or opened.

    And households, whose rows alone know whether they are suppressed.
    """
    reached = {bond.strong for bond in screened.claiming}
    reached.update(held.bond.strong for held in screened.held if held.reason == Reason.HOUSEHOLD)
    for ident, member in members.items():
        if screened.closed.get(ident, "") != member.knot.closed:
            reached.update(member.knot.weaker)
            reached.update(edge.peer for edge in member.node.edges)
    return reached - members.keys()


def _retold(held: list[Held], bonds: list[Bond], members: dict[Identifier, Member]) -> list[tuple[Held, str]]:
    """Note in every edge why it is held; those that are news, with what was known before."""
    reasons = {(each.bond.strong, each.bond.weak): each for each in held}
    news = []
    for bond in bonds:
        each, before = reasons.get((bond.strong, bond.weak)), bond.edge.held
        reason = "" if each is None else str(each.reason)
        if reason != before:
            bond.edge.held = reason
            members[bond.weak].edges_changed = True
            if each is not None:
                news.append((each, before))
    return sorted(news, key=lambda item: (item[0].bond.strong, item[0].bond.weak))


def _parted(bonds: list[Bond], new: set[int], members: dict[Identifier, Member], book: Rulebook) -> list[Bond]:
    """Note in every edge whether its ends are of different customers; those of which that is news.

    Of a link that comes back after it was forgotten, everything is.
    """
    news = []
    for bond in bonds:
        strong, edge = members.get(bond.strong), bond.edge
        if book.kind(bond.strong).household:
            apart = edge.held != Reason.HOUSEHOLD
        else:
            apart = strong is None or strong.founder != members[bond.weak].founder
        if apart != edge.apart or (members[bond.weak].knot.forgetful and id(bond) in new):
            edge.apart = apart
            members[bond.weak].edges_changed = True
            news.append(bond)
    return sorted(news, key=lambda bond: (bond.strong, bond.weak))


def _drop(member: Member, peer: Identifier) -> None:
    member.node.edges = tuple(edge for edge in member.node.edges if edge.peer != peer)
    member.edges_changed = True
    member.knot = msgspec.structs.replace(member.knot, forgetful=True)


def _components(members: Iterable[Identifier], bonds: list[Bond]) -> list[list[Identifier]]:
    """Sorted members of what the bonds connect, smallest text first."""
    near: dict[Identifier, list[Identifier]] = {ident: [] for ident in members}
    for bond in bonds:
        near[bond.strong].append(bond.weak)
        near[bond.weak].append(bond.strong)
    found, seen = [], set[Identifier]()
    for ident in sorted(near):
        if ident in seen:
            continue
        seen.add(ident)
        reached = [ident]
        for each in reached:
            fresh = [other for other in near[each] if other not in seen]
            seen.update(fresh)
            reached += dict.fromkeys(fresh)
        found.append(sorted(reached))
    return found
