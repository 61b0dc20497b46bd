"""The slow path: resolves components again from their stored links and writes the resulting components.

1. Load whole components, including those that newly opened links lead to.
2. Filter their links: find those that are ended, suppressed, expired or behind a firebreak.
3. Resolve the open links within the limits into groups and rejected links.
4. Forget rejected links beyond the bounds, lightest first, and repeat from step 2.
5. Name the groups, and note in states and edges what changed. Repeat from step 2 if that ended links that a firebreak
   counted.
6. Write every component as a flat tree and a circle. Put only rows that changed.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.event.reason import Reason
from pipeline.identity.bounds import forgettable_links, trimmed
from pipeline.identity.claims import Claims, claims_of
from pipeline.identity.contest import contested_by
from pipeline.identity.decisions import MergedLink
from pipeline.identity.filter_links import FilteredLinks, RejectedLink, filter_links, rule_of
from pipeline.identity.firebreak import Pair
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.resolve import named
from pipeline.identity.resolve_groups import ResolvedGroups, resolve_groups
from pipeline.identity.state import FOREVER, UNRESOLVED, Edge, Head, IdentifierState, Node
from pipeline.identity.union_find import UnionFind
from pipeline.identity.veto import GroupFacts, add_facts, facts_by_identifier, without_facts

NO_STATE = IdentifierState()


class Member(msgspec.Struct):
    """One identifier of a rebuild: its row, its state before, and its new state."""

    node: Node
    row: tuple[Identifier, Identifier, Head | None, IdentifierState | None]
    """The row's fields before the rebuild, without the edges."""
    founder_before: Identifier
    """Founder of its profile before the rebuild."""
    founder: Identifier
    state: IdentifierState
    edges_changed: bool = False

    @property
    def isolated_before(self) -> str:
        """Why it was isolated before the rebuild; "" if it was not."""
        return self.row[3].isolated if self.row[3] is not None else ""

    @property
    def contested_before(self) -> list[Identifier]:
        """The contested ends in its last assignment."""
        return self.row[3].contested if self.row[3] is not None else []


class Outcome(msgspec.Struct):
    """The changes of a rebuild, which :mod:`~pipeline.identity.announce_changes` publishes."""

    members: dict[Identifier, Member]
    rejected: list[tuple[RejectedLink, str]]
    """Links with a new reason for rejection, each with the last published reason ("" if it was accepted)."""
    forgotten: list[RejectedLink]
    """Links forgotten beyond the bounds: links rejected by limits, and household memberships."""
    parted: list[MergedLink]
    """Links whose ends now belong to different customers, or to one again. The anchor's ledger must learn of it."""


class Rebuilder:
    """The slow path. The rules' caps bound its cost. What it writes depends only on the stored links."""

    def __init__(self, policy: IdentityPolicy, union_find: UnionFind, nodes: Table[Node]) -> None:
        self._policy = policy
        self._union_find = union_find
        self._nodes = nodes

    def rebuild(self, seed: Identifier, pairs: Mapping[Identifier, AbstractSet[Identifier]]) -> Outcome:
        """Resolves the component of ``seed`` again, with all components that its links and ``pairs`` lead to."""
        members: dict[Identifier, Member] = {}
        forgotten: list[RejectedLink] = []
        changed: list[tuple[RejectedLink, str]] = []
        # 1. load
        self._load_members([seed], pairs, members)
        new: set[int] = set()
        while True:
            # 2. filter
            merged_links, filtered = self._filtered_links(members, pairs)
            # 3. resolve
            resolved = resolve_groups(filtered, self._policy)
            # 4. forget
            excess = self._excess_links(members, filtered, resolved)
            for rejected in excess:
                _remove_edge(members[rejected.merged_link.weak], rejected.merged_link.strong)
            forgotten += excess
            if excess:
                continue
            # 5. name the groups, note what changed
            new |= {id(merged_link.edge) for merged_link in merged_links if merged_link.edge.rejection == UNRESOLVED}
            changed += _changed_rejections(filtered.rejected + resolved.rejected, merged_links, members)
            logouts = {ident: member.state.first_logout_ms for ident, member in members.items()}
            claims = claims_of(filtered, self._policy, logouts)
            founder_of = named({ident: ident for ident in members} | resolved.group_of, claims, self._policy)
            ended, memberships = self._update_states(members, merged_links, filtered, resolved, founder_of)
            forgotten += memberships
            if not any(self._policy.adds_behind(*pair) for pair in ended):
                break  # else a firebreak that counted behind these links must be decided again
            changed = _still_rejected(changed)
        parted = _parted(merged_links, new, members, self._policy)
        forgotten += self._trim_rows(members, filtered)
        # 6. write
        facts = facts_by_identifier(filtered.facts)
        for component in _components(members, filtered.claiming):
            self._write(component, members, claims, facts)
        return Outcome(members, changed, forgotten, parted)

    def _filtered_links(
        self, members: dict[Identifier, Member], pairs: Mapping[Identifier, AbstractSet[Identifier]]
    ) -> tuple[list[MergedLink], FilteredLinks]:
        """Filters the members' links. Loads further members until all that the links lead to are members."""
        while True:
            merged_links, facts = without_facts(_merged_links(members), self._policy)
            suppressed = {ident for ident, member in members.items() if member.state.suppressed}
            trusted = {ident for ident, member in members.items() if member.state.trusted}
            filtered = filter_links(merged_links, self._policy, suppressed, trusted)
            outside = _missing_members(members, filtered, self._policy)
            if not outside:
                filtered.facts = facts
                return merged_links, filtered
            self._load_members(outside, pairs, members)

    def _load_members(
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
            root, row, head = self._union_find.root(ident, self._union_find.get_or_create(ident))
            for member, node in self._union_find.members(root, row):
                state = node.state or NO_STATE
                row_before = (node.parent, node.next, node.head, node.state)
                members[member] = Member(node, row_before, state.founder or head.founder, member, state)
                waiting += pairs.get(member, ())

    def _update_states(
        self,
        members: dict[Identifier, Member],
        merged_links: list[MergedLink],
        filtered: FilteredLinks,
        resolved: ResolvedGroups,
        founder_of: Mapping[Identifier, Identifier],
    ) -> tuple[list[Pair], list[RejectedLink]]:
        """Sets the founder and state of every member.

        Returns the links that had no room and are now ended, and those of them that were household memberships.
        """
        reasons = {
            (rejected_link.merged_link.strong, rejected_link.merged_link.weak): rejected_link.reason
            for rejected_link in filtered.rejected + resolved.rejected
        }
        contested = contested_by(merged_links, reasons, filtered.isolated, self._policy)
        weaker: dict[Identifier, set[Identifier]] = {}
        unlinked: dict[Identifier, set[Identifier]] = {}
        for merged_link in merged_links:
            if (
                merged_link.strong in filtered.isolated
            ):  # a link that a log-out ended may be revived when this identifier is no longer isolated
                (unlinked if merged_link.edge.ended_ms == FOREVER else weaker).setdefault(
                    merged_link.strong, set()
                ).add(merged_link.weak)
        ended: list[Pair] = []
        memberships: list[RejectedLink] = []
        for ident, member in members.items():
            member.founder = founder_of[ident]
            earlier = member.state
            elsewhere = {end for end in earlier.contested if end not in members}
            member.state = IdentifierState(
                contested=sorted(elsewhere | contested.get(ident, set())),
                suppressed=earlier.suppressed,
                trusted=earlier.trusted,
                forgetful=earlier.forgetful,
                logged_out_ms=earlier.logged_out_ms,
                first_logout_ms=earlier.first_logout_ms,
                isolated=str(filtered.isolated.get(ident, "")),
            )
            if member.state.isolated:
                kept = [weak for weak in earlier.weaker if weak not in unlinked.get(ident, ())]
                new = sorted(weaker.get(ident, set()) - set(kept))
                room = max(0, self._policy.rules.max_links - len(kept))
                member.state.weaker = kept + new[:room]
                self._drop_surplus_peers(ident, new[room:], members, ended, memberships)
        return ended, memberships

    def _drop_surplus_peers(
        self,
        ident: Identifier,
        weaker: list[Identifier],
        members: dict[Identifier, Member],
        ended: list[Pair],
        memberships: list[RejectedLink],
    ) -> None:
        """Ends the links of an isolated identifier beyond the bound until they are seen again.

        Appends the links that were not ended before, and those that were household memberships.
        """
        for weak in weaker:
            members[weak].edges_changed = True
            for edge in members[weak].node.edges:
                if edge.peer == ident:
                    memberships += self._membership(weak, edge)
                    if edge.alive:
                        ended.append((ident, weak))
                    edge.ended_ms, edge.rejection = max(edge.ended_ms, edge.last_seen_ms), Reason.LOGGED_OUT.value

    def _excess_links(
        self, members: dict[Identifier, Member], filtered: FilteredLinks, resolved: ResolvedGroups
    ) -> list[RejectedLink]:
        """Returns the lightest rejected links of every component with more than ``max_links`` links."""
        limit = self._policy.rules.max_links
        if len(filtered.open) <= limit:
            return []
        excess: list[RejectedLink] = []
        idle = forgettable_links(filtered, resolved.rejected)
        for component in _components(members, filtered.claiming):
            within = set(component)
            links = sum(merged_link.weak in within for merged_link in filtered.open)
            excess += [rejected_link for rejected_link in idle if rejected_link.merged_link.weak in within][::-1][
                : max(0, links - limit)
            ]
        return excess

    def _trim_rows(self, members: dict[Identifier, Member], filtered: FilteredLinks) -> list[RejectedLink]:
        """Trims the rows. Returns the forgotten links that were household memberships."""
        memberships: list[RejectedLink] = []
        for ident, member in members.items():
            state, node = member.state, member.node
            if state.trusted:
                continue
            first = filtered.first.get(ident)
            edges = trimmed(ident, node.edges, state.isolated, "" if first is None else first.strong, self._policy)
            if edges is not node.edges:
                kept = {edge.peer for edge in edges}
                for edge in node.edges:
                    if edge.peer not in kept:
                        memberships += self._membership(ident, edge)
                member.edges_changed, node.edges, state.forgetful = True, edges, True
        return memberships

    def _membership(self, weak: Identifier, edge: Edge) -> list[RejectedLink]:
        """Returns the link if it is a household membership, else nothing."""
        if edge.rejection != Reason.HOUSEHOLD:
            return []
        return [
            RejectedLink(
                MergedLink(edge.peer, weak, edge), Reason.HOUSEHOLD, rule_of(edge.peer, Reason.HOUSEHOLD, self._policy)
            )
        ]

    def _write(
        self,
        component: list[Identifier],
        members: dict[Identifier, Member],
        claims: Claims,
        facts: Mapping[Identifier, GroupFacts],
    ) -> None:
        founders = {members[ident].founder for ident in component}
        founder = founders.pop() if len(founders) == 1 else ""
        tally: dict[str, int] = {}
        for ident in component:
            kind = ident.partition(":")[0]
            tally[kind] = tally.get(kind, 0) + 1
        known: GroupFacts = {}
        for ident in component if facts else ():
            add_facts(known, facts.get(ident, {}))
        head = Head(len(component), claims.seen_ms.get(founder, FOREVER), founder, tally)
        head.facts = {kind: min(values) for kind, values in sorted(known.items())}
        head.needs_resolution = not (
            founder
            and all(len(values) == 1 for values in known.values())
            and self._policy.roomy(head)
            and len({claims.lord_of.get(ident, ident) for ident in component}) == 1
            and not claims.disputed.intersection(component)
            and not any(edge.apart for ident in component for edge in members[ident].node.edges)
        )
        for ident, following in zip(component, component[1:] + component[:1], strict=True):
            member, node = members[ident], members[ident].node
            member.state.founder = "" if founder else member.founder
            first = ident == component[0]
            node.parent, node.next = "" if first else component[0], following
            node.head, node.state = head if first else None, None if member.state == NO_STATE else member.state
            if member.edges_changed or (node.parent, node.next, node.head, node.state) != member.row:
                self._nodes.put(ident, node)


def _merged_links(members: dict[Identifier, Member]) -> list[MergedLink]:
    return [
        MergedLink(edge.peer, ident, edge)
        for ident, member in members.items()
        for edge in member.node.edges
        if edge.count
    ]


def _missing_members(
    members: dict[Identifier, Member], filtered: FilteredLinks, policy: IdentityPolicy
) -> AbstractSet[Identifier]:
    """Returns the identifiers still to load.

    These are the stronger ends of claiming links, the neighbours of identifiers that became or are no longer isolated,
    household identifiers, because only their rows say whether they are suppressed, and those of which a link of an
    exclusive type expired, because it is contested from now on.
    """
    reached = {merged_link.strong for merged_link in filtered.claiming}
    reached.update(rejected.merged_link.strong for rejected in filtered.rejected if rejected.reason == Reason.HOUSEHOLD)
    for rejected in filtered.rejected:
        if rejected.reason == Reason.EXPIRED and rejected.merged_link.edge.rejection == Reason.SHARED:
            reached.add(rejected.merged_link.strong)
    for ident, member in members.items():
        if filtered.isolated.get(ident, "") != member.state.isolated:
            reached.update(member.state.weaker)
            reached.update(edge.peer for edge in member.node.edges if not policy.kind(edge.peer).must_agree)
    return reached - members.keys()


def _changed_rejections(
    rejected: list[RejectedLink], merged_links: list[MergedLink], members: dict[Identifier, Member]
) -> list[tuple[RejectedLink, str]]:
    """Updates the rejection of every edge. Returns the newly rejected links with the reason before."""
    reasons = {
        (rejected_link.merged_link.strong, rejected_link.merged_link.weak): rejected_link for rejected_link in rejected
    }
    changed = []
    for merged_link in merged_links:
        rejected_link, before = reasons.get((merged_link.strong, merged_link.weak)), merged_link.edge.rejection
        reason = "" if rejected_link is None else str(rejected_link.reason)
        if reason != before:
            merged_link.edge.rejection = reason
            members[merged_link.weak].edges_changed = True
            if rejected_link is not None:
                changed.append((rejected_link, before))
    return sorted(changed, key=lambda item: (item[0].merged_link.strong, item[0].merged_link.weak))


def _still_rejected(changed: list[tuple[RejectedLink, str]]) -> list[tuple[RejectedLink, str]]:
    """Returns the changes that a further pass has not taken back, and all changes of households."""
    return [
        (rejected, before)
        for rejected, before in changed
        if Reason.HOUSEHOLD in {rejected.reason, before} or rejected.merged_link.edge.rejection not in {"", before}
    ]


def _parted(
    merged_links: list[MergedLink], new: set[int], members: dict[Identifier, Member], policy: IdentityPolicy
) -> list[MergedLink]:
    """Updates ``apart`` of every edge. Returns the links for which it changed."""
    news = []
    for merged_link in merged_links:
        strong, edge = members.get(merged_link.strong), merged_link.edge
        if policy.kind(merged_link.strong).household:
            apart = edge.rejection != Reason.HOUSEHOLD
        else:
            apart = strong is None or strong.founder != members[merged_link.weak].founder
        # A new link in a forgetful row may be a forgotten one: what its ledger last learnt is not known.
        if apart != edge.apart or (members[merged_link.weak].state.forgetful and id(edge) in new):
            edge.apart = apart
            members[merged_link.weak].edges_changed = True
            news.append(merged_link)
    return sorted(news, key=lambda merged_link: (merged_link.strong, merged_link.weak))


def _remove_edge(member: Member, peer: Identifier) -> None:
    member.node.edges = tuple(edge for edge in member.node.edges if edge.peer != peer)
    member.edges_changed = True
    member.state = msgspec.structs.replace(member.state, forgetful=True)


def _components(members: Iterable[Identifier], merged_links: list[MergedLink]) -> list[list[Identifier]]:
    """Returns the connected components, each sorted, in the order of their first members."""
    near: dict[Identifier, list[Identifier]] = {ident: [] for ident in members}
    for merged_link in merged_links:
        near[merged_link.strong].append(merged_link.weak)
        near[merged_link.weak].append(merged_link.strong)
    components, seen = [], set[Identifier]()
    for ident in sorted(near):
        if ident in seen:
            continue
        seen.add(ident)
        reached = [ident]
        for current in reached:
            fresh = [other for other in near[current] if other not in seen]
            seen.update(fresh)
            reached += dict.fromkeys(fresh)
        components.append(sorted(reached))
    return components
