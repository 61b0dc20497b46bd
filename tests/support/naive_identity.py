"""A naive, slow implementation of the definition of resolution, as the expected result of the pure function.

Filtered links, in their order, unite sets of identifiers unless the united set breaks a limit.
"""

import zlib
from typing import Any

from pipeline.identity.decisions import MergedLink
from pipeline.identity.limits import parse_limit
from pipeline.identity.resolve import Resolution
from pipeline.identity.rules import IdentityRules, IdentityType

Groups = set[frozenset[str]]
SETTLED_REASONS = {"limit", "cap", "isolated"}


def naive_groups(resolution: Resolution, rules: IdentityRules) -> Groups:
    """The groups that the accepted and the limit-rejected links of a resolution make; presets must be spelled out."""
    opened = resolution.accepted + [
        rejected.merged_link for rejected in resolution.rejected if rejected.reason in SETTLED_REASONS
    ]
    naive = _Naive(opened, rules)
    isolated: set[str] = set()
    while True:
        groups, contested = naive.united({frozenset({ident}) for ident in resolution.founder_of}, isolated)
        if not contested:
            return groups
        isolated |= contested


class _Naive:
    def __init__(self, opened: list[MergedLink], rules: IdentityRules) -> None:
        self._kinds = {kind.name: kind for kind in rules.types}
        self._cap = rules.max_identifiers
        self._opened = sorted(opened, key=self._weight)

    def _kind(self, ident: str) -> IdentityType:
        return self._kinds[ident.partition(":")[0]]

    def _weight(self, merged_link: MergedLink) -> tuple[Any, ...]:
        kind, text = self._kind(merged_link.weak), f"{merged_link.strong} {merged_link.weak}"
        when = -merged_link.edge.last_seen_ms if kind.policy == "latest" else merged_link.edge.first_seen_ms
        return 0 if merged_link.edge.asserted else 1, kind.priority, kind.name, when, zlib.crc32(text.encode()), text

    def united(self, groups: Groups, isolated: set[str]) -> tuple[Groups, set[str]]:
        """The groups, and identifiers of an ``isolate`` type that a limit kept from one of their claimants."""
        asserted = {
            end
            for merged_link in self._opened
            if merged_link.edge.asserted
            for end in (merged_link.strong, merged_link.weak)
        }
        contested: set[str] = set()
        for merged_link in self._opened:
            a, b = (next(group for group in groups if end in group) for end in (merged_link.strong, merged_link.weak))
            if a == b or isolated & {merged_link.strong, merged_link.weak}:
                continue
            if len(a | b) <= self._cap and (merged_link.edge.asserted or not self._too_many(a, b)):
                groups = groups - {a, b} | {a | b}
            elif self._kind(merged_link.weak).policy == "isolate":
                contested |= {merged_link.weak} - asserted
        return groups, contested

    def _too_many(self, a: frozenset[str], b: frozenset[str]) -> bool:
        """Whether both sides have identifiers of a type, and together more than one of its limits lets them."""
        for name, kind in self._kinds.items():
            mine, theirs = ({item for item in side if self._kind(item).name == name} for side in (a, b))
            times = sorted(self._first_seen_ms(item) for item in mine | theirs)
            for limit in map(parse_limit, kind.limits if mine and theirs else []):
                spans = [last - first for first, last in zip(times, times[limit.count :], strict=False)]
                if any(not limit.period_ms or span < limit.period_ms for span in spans):
                    return True
        return False

    def _first_seen_ms(self, ident: str) -> int:
        return min(
            merged_link.edge.first_seen_ms
            for merged_link in self._opened
            if ident in {merged_link.strong, merged_link.weak}
        )
