"""Resolution by its definition, word by word and slowly: the check on the pure function itself.

Links that passed the screen, in their order, unite sets of identifiers unless the united set breaks a limit.
"""

import zlib
from typing import Any

from pipeline.identity.decisions import Bond
from pipeline.identity.limits import parse_limit
from pipeline.identity.resolve import Resolution
from pipeline.identity.rules import IdentityRules, IdentityType

Groups = set[frozenset[str]]
SETTLED_REASONS = {"limit", "cap", "isolated"}


def naive_groups(resolution: Resolution, rules: IdentityRules) -> Groups:
    """The groups that the accepted and the limit-held links of a resolution make; presets must be spelled out."""
    opened = resolution.accepted + [held.bond for held in resolution.held if held.reason in SETTLED_REASONS]
    naive = _Naive(opened, rules)
    isolated: set[str] = set()
    while True:
        groups, contested = naive.united({frozenset({ident}) for ident in resolution.founder_of}, isolated)
        if not contested:
            return groups
        isolated |= contested


class _Naive:
    def __init__(self, opened: list[Bond], rules: IdentityRules) -> None:
        self._kinds = {kind.name: kind for kind in rules.types}
        self._cap = rules.max_identifiers
        self._opened = sorted(opened, key=self._weight)

    def _kind(self, ident: str) -> IdentityType:
        return self._kinds[ident.partition(":")[0]]

    def _weight(self, bond: Bond) -> tuple[Any, ...]:
        kind, text = self._kind(bond.weak), f"{bond.strong} {bond.weak}"
        when = -bond.edge.last_seen_ms if kind.policy == "latest" else bond.edge.first_seen_ms
        return 0 if bond.edge.asserted else 1, kind.priority, kind.name, when, zlib.crc32(text.encode()), text

    def united(self, groups: Groups, isolated: set[str]) -> tuple[Groups, set[str]]:
        """The groups, and identifiers of an ``isolate`` type that a limit kept from one of their claimants."""
        asserted = {end for bond in self._opened if bond.edge.asserted for end in (bond.strong, bond.weak)}
        contested: set[str] = set()
        for bond in self._opened:
            a, b = (next(group for group in groups if end in group) for end in (bond.strong, bond.weak))
            if a == b or isolated & {bond.strong, bond.weak}:
                continue
            if len(a | b) <= self._cap and (bond.edge.asserted or not self._too_many(a, b)):
                groups = groups - {a, b} | {a | b}
            elif self._kind(bond.weak).policy == "isolate":
                contested |= {bond.weak} - asserted
        return groups, contested

    def _too_many(self, a: frozenset[str], b: frozenset[str]) -> bool:
        """Whether both sides have identifiers of a type, and together more than one of its limits lets them."""
        for name, kind in self._kinds.items():
            mine, theirs = ({each for each in side if self._kind(each).name == name} for side in (a, b))
            times = sorted(self._first_seen_ms(each) for each in mine | theirs)
            for limit in map(parse_limit, kind.limits if mine and theirs else []):
                spans = [last - first for first, last in zip(times, times[limit.count :], strict=False)]
                if any(not limit.period_ms or span < limit.period_ms for span in spans):
                    return True
        return False

    def _first_seen_ms(self, ident: str) -> int:
        return min(bond.edge.first_seen_ms for bond in self._opened if ident in {bond.strong, bond.weak})
