"""Groups identifiers into customers: takes open links by descending weight and joins their ends unless a limit breaks.

The order depends only on the links, not on their arrival: asserted links first, then by the type of the weaker end,
strongest first; within a type newest or oldest first, as its policy demands; finally by a stable hash. The ends of a
rejected link never end up in one group, because a limit that two groups break together stays broken as they grow.
"""

from bisect import insort
from collections.abc import Mapping
from zlib import crc32

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.decisions import MergedLink
from pipeline.identity.filter_links import FilteredLinks, RejectedLink
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.veto import GroupFacts, add_facts, contradicted_type, facts_by_identifier


class ResolvedGroups(msgspec.Struct):
    """Groups, by an arbitrary key, and the links that would have broken a limit, heaviest first."""

    group_of: dict[Identifier, Identifier]
    rejected: list[RejectedLink]


def resolve_groups(filtered: FilteredLinks, policy: IdentityPolicy) -> ResolvedGroups:
    """Resolves open links. With policy ``isolate``, an identifier that two customers claim belongs to neither."""
    merged_links, facts = filtered.open, facts_by_identifier(filtered.facts)
    ordered = sorted(merged_links, key=lambda merged_link: _weight(merged_link, policy))
    isolated: set[Identifier] = set()
    asserted = {
        end
        for merged_link in merged_links
        if merged_link.edge.asserted
        for end in (merged_link.strong, merged_link.weak)
    }
    while True:
        groups, rejected = _union_all(ordered, policy, isolated, facts)
        lost = {
            rejected_link.merged_link.weak
            for rejected_link in rejected
            if rejected_link.reason != Reason.ISOLATED
            and policy.kind(rejected_link.merged_link.weak).policy == "isolate"
        } - asserted
        if not lost:
            return ResolvedGroups({ident: groups.find(ident) for ident in groups.parents}, rejected)
        isolated |= lost


def _weight(merged_link: MergedLink, policy: IdentityPolicy) -> tuple[bool, int, str, int, int, Identifier, Identifier]:
    edge, kind = merged_link.edge, policy.kind(merged_link.weak)
    age = -edge.last_seen_ms if kind.policy == "latest" else edge.first_seen_ms
    mixed = crc32(f"{merged_link.strong} {merged_link.weak}".encode())
    return not edge.asserted, kind.priority, kind.name, age, mixed, merged_link.strong, merged_link.weak


def _union_all(
    ordered: list[MergedLink],
    policy: IdentityPolicy,
    isolated: set[Identifier],
    facts: Mapping[Identifier, GroupFacts],
) -> tuple["Groups", list[RejectedLink]]:
    groups, rejected = Groups(ordered, policy, facts), []
    for merged_link in ordered:
        isolated_end = next((end for end in (merged_link.weak, merged_link.strong) if end in isolated), None)
        if isolated_end is not None:
            rejected.append(RejectedLink(merged_link, Reason.ISOLATED, f"{policy.kind(isolated_end).name}: isolate"))
            continue
        a, b = groups.find(merged_link.strong), groups.find(merged_link.weak)
        if a == b:
            continue
        broken = groups.broken_limit(a, b, merged_link)
        if broken is None:
            groups.union(a, b)
        else:
            rejected.append(RejectedLink(merged_link, broken[0], broken[1]))
    return groups, rejected


class Groups:
    """Union-find in memory over the ends of ``merged_links``, with the counts that the limits need of each group."""

    def __init__(
        self, merged_links: list[MergedLink], policy: IdentityPolicy, facts: Mapping[Identifier, GroupFacts]
    ) -> None:
        self._facts = {ident: dict(known) for ident, known in facts.items()}
        self.parents: dict[Identifier, Identifier] = {}
        self._policy = policy
        self._sizes: dict[Identifier, int] = {}
        self._times: dict[Identifier, dict[str, list[int]]] = {}
        seen: dict[Identifier, int] = {}
        for merged_link in merged_links:
            for end in (merged_link.strong, merged_link.weak):
                seen[end] = min(seen.get(end, merged_link.edge.first_seen_ms), merged_link.edge.first_seen_ms)
        for ident, at_ms in seen.items():
            kind = ident.partition(":")[0]
            self.parents[ident], self._sizes[ident] = ident, 1
            self._times[ident] = {kind: [at_ms]} if kind in policy.limits else {}

    def find(self, ident: Identifier) -> Identifier:
        """Returns the group's representative. Halves the path on the way."""
        parents = self.parents
        while parents[ident] != ident:
            parents[ident] = parents[parents[ident]]
            ident = parents[ident]
        return ident

    def broken_limit(self, a: Identifier, b: Identifier, merged_link: MergedLink) -> tuple[Reason, str] | None:
        """Returns the limit or the veto that the link would break by uniting two groups.

        Limits of types and vetoes do not bind asserted links.
        """
        cap = self._policy.rules.max_identifiers
        if self._sizes[a] + self._sizes[b] > cap:
            return Reason.CAP, f"max_identifiers: {cap}"
        if merged_link.edge.asserted:
            return None
        if self._facts:
            kind = contradicted_type(self._facts.get(a, {}), self._facts.get(b, {}), merged_link.weak, self._policy)
            if kind is not None:
                return Reason.VETO, f"{kind}: must agree"
        times_a, times_b = self._times[a], self._times[b]
        for kind in sorted(times_a.keys() & times_b.keys()):
            together = sorted(times_a[kind] + times_b[kind])
            for limit in self._policy.limits[kind]:
                if limit.broken_by(together):
                    return Reason.LIMIT, f"{kind}: {limit.text}"
        return None

    def union(self, a: Identifier, b: Identifier) -> None:
        """Joins two groups, the smaller under the larger."""
        if self._sizes[a] < self._sizes[b]:
            a, b = b, a
        self.parents[b] = a
        self._sizes[a] += self._sizes.pop(b)
        if b in self._facts:
            add_facts(self._facts.setdefault(a, {}), self._facts.pop(b))
        mine = self._times[a]
        for kind, times in self._times.pop(b).items():
            known = mine.setdefault(kind, [])
            for at_ms in times:
                insort(known, at_ms)
