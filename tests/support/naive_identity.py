"""A naive, slow implementation of the definition of resolution, as the expected result of the pure function.

Filtered links, in their order, unite sets of identifiers unless the united set breaks a limit.
"""

import math
import zlib
from typing import Any

from pipeline.identity.decisions import MergedLink
from pipeline.identity.limits import parse_limit
from pipeline.identity.messages import Command, Link
from pipeline.identity.resolve import Resolution
from pipeline.identity.rules import IdentityRules, IdentityType

Groups = set[frozenset[str]]
SETTLED_REASONS = {"limit", "veto", "cap", "isolated"}
Facts = dict[str, set[str]]
"""The values that must agree, by the identifier they were seen with."""


def naive_facts(links: list[Link], commands: list[Command], rules: IdentityRules) -> Facts:
    """What the log says of each identifier: seen or stated by a person, and not taken back since."""
    kinds = {kind.name for kind in rules.types if kind.must_agree}
    seen: dict[tuple[str, str], int] = {}
    ended: dict[tuple[str, str], float] = {}
    for a, b, at_ms in ((link.anchor, link.other, link.last_seen_ms) for link in links):
        for about, value in ((a, b), (b, a)):
            if value.partition(":")[0] in kinds and about.partition(":")[0] not in kinds:
                seen[about, value] = max(seen.get((about, value), -1), at_ms)
    for command in commands:
        pair = (command.a, command.b)
        if command.b.partition(":")[0] not in kinds:
            continue
        if command.kind == "link":
            ended.pop(pair, None)
            seen[pair] = max(seen.get(pair, -1), command.timestamp_ms)
        else:
            ended[pair] = math.inf if command.kind == "unlink" else max(ended.get(pair, -1), command.timestamp_ms)
    facts: Facts = {}
    for (about, value), at_ms in seen.items():
        if at_ms > ended.get((about, value), -1):
            facts.setdefault(about, set()).add(value)
    return facts


def naive_groups(resolution: Resolution, rules: IdentityRules, facts: Facts) -> Groups:
    """The groups that the accepted and the limit-rejected links of a resolution make; presets must be spelled out."""
    opened = resolution.accepted + [
        rejected.merged_link for rejected in resolution.rejected if rejected.reason in SETTLED_REASONS
    ]
    naive = _Naive(opened, rules, facts)
    isolated: set[str] = set()
    while True:
        groups, contested = naive.united({frozenset({ident}) for ident in resolution.founder_of}, isolated)
        if not contested:
            return groups
        isolated |= contested


class _Naive:
    def __init__(self, opened: list[MergedLink], rules: IdentityRules, facts: Facts) -> None:
        self._facts = facts
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
            if len(a | b) <= self._cap and (
                merged_link.edge.asserted or not (self._too_many(a, b) or self._contradict(a, b, merged_link.weak))
            ):
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

    def _contradict(self, a: frozenset[str], b: frozenset[str], weak: str) -> bool:
        """Whether both sides have values of a type that must agree, and different ones, and the link is weaker."""
        for name, kind in self._kinds.items():
            mine, theirs = (
                {value for item in side for value in self._facts.get(item, ()) if value.partition(":")[0] == name}
                for side in (a, b)
            )
            if mine and theirs and len(mine | theirs) > 1 and kind.priority < self._kind(weak).priority:
                return True
        return False

    def _first_seen_ms(self, ident: str) -> int:
        return min(
            merged_link.edge.first_seen_ms
            for merged_link in self._opened
            if ident in {merged_link.strong, merged_link.weak}
        )
