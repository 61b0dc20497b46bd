"""Claims: decide which customer may name its profile after an identifier, so that profile ids stay stable.

A profile is named after an identifier, its founder. Claims are made in the order of first sightings and are final.
Types that name people form classes, one for each priority. All other types are in the class below people. Each
identifier has a chain of claims; the identifier at its end is the *lord*. The links are processed by
``first_seen_ms``, each with the lords of its two ends:

* Two lords below people: one claims the other.
* Two lords of different classes: the higher claims the lower. If the higher would then have more people's identifiers
  of a type than a limit allows, there is no claim, and each of those identifiers becomes disputed.
* Two lords of one class of people: no claim, and the weaker end of the link becomes disputed.
* Two lords that a veto keeps apart, by the facts known so far: likewise.

A disputed identifier may belong to either party. So no lord claims another person through a disputed identifier, or
through one that a person had logged out of before. An identifier below people that is linked with a disputed one no
longer names any profile.

A claim on a person is conditional if it was not made through a direct link with the lord, or if one of the two was
party to a dispute: later links may show that the person is another customer. Then the lord's profile may take a name
from that part of the chain only while its group contains the person.

As a result, a shared device that moves to another person never takes the profile's name along, and an identifier that
is split off does not regain a name that another customer has claimed.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from pipeline.event.identifier import Identifier, type_of
from pipeline.identity.decisions import MergedLink
from pipeline.identity.filter_links import FilteredLinks
from pipeline.identity.policy import BELOW_PEOPLE, IdentityPolicy
from pipeline.identity.veto import GroupFacts, add_facts, contradicted_type

APART: Final = "~"
"""Prefix of a founder that is not itself claimed: the group has no identifier it may be named after. No type name
begins with it."""

UNUSED: Final = ""
"""The lord of identifiers that no longer name any profile."""
_UNUSED_CLASS: Final = -1


class Claims(msgspec.Struct):
    """The claims that a set of links makes."""

    seen_ms: dict[Identifier, int]
    """When each identifier was first seen, in ms since 1970. Omits identifiers without links."""
    lord_of: dict[Identifier, Identifier]
    """The lord of each identifier: itself if it is unclaimed, UNUSED if it no longer names any profile."""
    disputed: set[Identifier]
    """Identifiers that link two people without joining them into one customer."""
    conditions: dict[Identifier, tuple[Identifier, ...]]
    """People's identifiers that a group must contain, besides the lord, to be named after an identifier. Omits
    identifiers without conditions."""


def claims_of(filtered: FilteredLinks, policy: IdentityPolicy, first_logout_ms: Mapping[Identifier, int]) -> Claims:
    """Returns the claims that the claiming links and the facts make. Their order in the lists makes no difference."""
    ordered = sorted(
        filtered.claiming,
        key=lambda merged_link: (
            merged_link.edge.first_seen_ms,
            policy.strength(merged_link.weak),
            policy.strength(merged_link.strong),
        ),
    )
    seen_ms: dict[Identifier, int] = {}
    for merged_link in ordered:
        edge = merged_link.edge
        seen_ms[merged_link.strong] = min(seen_ms.get(merged_link.strong, edge.peer_ms), edge.peer_ms)
        seen_ms.setdefault(merged_link.weak, edge.first_seen_ms)
    chains = _ClaimChains(seen_ms, policy, first_logout_ms)
    facts = sorted(filtered.facts, key=lambda fact: fact.edge.first_seen_ms, reverse=True)
    for merged_link in ordered:
        while facts and facts[-1].edge.first_seen_ms <= merged_link.edge.first_seen_ms:
            chains.add_fact(facts.pop())
        chains.apply(merged_link)
    conditions = {ident: result for ident in seen_ms if (result := chains.conditions(ident))}
    return Claims(seen_ms, {ident: chains.lord(ident) for ident in seen_ms}, chains.disputed, conditions)


def founders(
    groups: Mapping[Identifier, Iterable[Identifier]], claims: Claims, policy: IdentityPolicy
) -> dict[Identifier, Identifier]:
    """Returns the founder of every group, by the group's key. Groups must be disjoint.

    The founder is the oldest identifier whose lord is among the group's members of the strongest class, even if the
    identifier itself is in another group now. If there is none, the founder is the oldest member of that class, with
    the prefix APART.
    """
    at_most = {key: min(map(policy.person_class, members)) for key, members in groups.items()}
    key_of = {member: key for key, members in groups.items() for member in members}
    eldest: dict[Identifier, Identifier] = {}
    for ident, lord in claims.lord_of.items():
        key = key_of.get(lord)
        if key is None or policy.person_class(lord) != at_most[key]:
            continue
        if not all(key_of.get(person) == key for person in claims.conditions.get(ident, ())):
            continue
        known = eldest.get(key)
        if known is None or policy.older(claims.seen_ms[ident], ident, claims.seen_ms[known], known):
            eldest[key] = ident
    return {
        key: eldest.get(key) or _apart(members, at_most[key], claims, policy) for key, members in groups.items()
    }  # fmt: skip


def _apart(members: Iterable[Identifier], person_class: int, claims: Claims, policy: IdentityPolicy) -> Identifier:
    strongest = [member for member in members if policy.person_class(member) == person_class]
    known = [member for member in strongest if member in claims.seen_ms]
    if not known:
        return min(strongest, key=policy.strength)
    return APART + min(known, key=lambda member: (claims.seen_ms[member], *policy.strength(member)))


class _ClaimChains:
    """The chains of claims, and for each lord the people's identifiers of types with limits that it has claimed."""

    def __init__(
        self, seen_ms: Mapping[Identifier, int], policy: IdentityPolicy, first_logout_ms: Mapping[Identifier, int]
    ) -> None:
        self._policy, self._first_logout_ms = policy, first_logout_ms
        self.disputed: set[Identifier] = set()
        self._parties: set[Identifier] = set()
        self._through_others: set[Identifier] = set()
        self._claimed_by: dict[Identifier, Identifier] = {}
        self._shortcut: dict[Identifier, Identifier] = {}
        self._facts: dict[Identifier, GroupFacts] = {}
        self._limited: dict[Identifier, dict[str, list[tuple[int, Identifier]]]] = {UNUSED: {}}
        for ident, at_ms in seen_ms.items():
            kind = type_of(ident)
            limited = kind in policy.limits and policy.person_class(ident) != BELOW_PEOPLE
            self._limited[ident] = {kind: [(at_ms, ident)]} if limited else {}

    def chain(self, ident: Identifier) -> Iterator[Identifier]:
        """Yields the identifier, the one that claimed it, and so on up to the lord."""
        yield ident
        while (above := self._claimed_by.get(ident)) is not None:
            yield (ident := above)

    def conditions(self, ident: Identifier) -> tuple[Identifier, ...]:
        """Returns the identifiers that a group must contain besides the lord to be named after this one."""
        return tuple(item for item in self.chain(ident) if item in self._through_others)

    def lord(self, ident: Identifier) -> Identifier:
        """Returns the end of the chain of claims. Halves the path on the way."""
        shortcut = self._shortcut
        while (above := shortcut.get(ident)) is not None:
            further = shortcut.get(above)
            if further is not None:
                shortcut[ident] = further
            ident = above
        return ident

    def add_fact(self, fact: MergedLink) -> None:
        """Adds a fact about an identifier to those of its lord."""
        add_facts(self._facts.setdefault(self.lord(fact.weak), {}), {type_of(fact.strong): {fact.strong}})

    def apply(self, merged_link: MergedLink) -> None:
        """Applies the rules of the module's docstring to the lords of both ends of a link."""
        a, b = self.lord(merged_link.strong), self.lord(merged_link.weak)
        if a == b:
            return
        class_a, class_b = self._class_of(a), self._class_of(b)
        vetoed = self._facts and not merged_link.edge.asserted and self._contradict(a, b, merged_link.weak)
        if class_a <= class_b:
            above, below, class_below, end = a, b, class_b, merged_link.strong
        else:
            above, below, class_below, end = b, a, class_a, merged_link.weak
        if class_below == BELOW_PEOPLE:
            if vetoed:
                self.disputed.add(merged_link.weak)
                return
            self._claim(UNUSED if end in self.disputed else above, below)
            return
        if above == UNUSED:
            return
        many = [] if merged_link.edge.asserted else self._too_many(a, b)
        if class_a == class_b or many or vetoed or self._may_belong_to_another(merged_link):
            self.disputed |= {merged_link.weak, *many}
            self._parties |= {a, b}
            return
        if {above, below} != {merged_link.strong, merged_link.weak} or self._parties & {above, below}:
            self._through_others.add(below)
        self._claim(above, below)

    def _class_of(self, lord: Identifier) -> int:
        return self._policy.person_class(lord) if lord else _UNUSED_CLASS

    def _may_belong_to_another(self, merged_link: MergedLink) -> bool:
        """Returns whether an end of the link may belong to another person than its lord."""
        ends = (merged_link.strong, merged_link.weak)
        return any(
            end in self.disputed
            or self._first_logout_ms.get(end, merged_link.edge.first_seen_ms) < merged_link.edge.first_seen_ms
            for end in ends
        )

    def _contradict(self, a: Identifier, b: Identifier, weak: Identifier) -> bool:
        mine, theirs = self._facts.get(a, {}), self._facts.get(b, {})
        return contradicted_type(mine, theirs, weak, self._policy) is not None

    def _claim(self, above: Identifier, below: Identifier) -> None:
        self._claimed_by[below] = self._shortcut[below] = above
        if below in self._facts:
            add_facts(self._facts.setdefault(above, {}), self._facts.pop(below))
        mine = self._limited[above]
        for kind, rejected in self._limited.pop(below).items():
            mine[kind] = sorted(mine.get(kind, []) + rejected)

    def _too_many(self, a: Identifier, b: Identifier) -> list[Identifier]:
        """Returns the identifiers of each type of which the two lords together exceed a limit."""
        mine, theirs = self._limited[a], self._limited[b]
        many: list[Identifier] = []
        for kind in mine.keys() & theirs.keys():
            rejected = sorted(mine[kind] + theirs[kind])
            if any(limit.broken_by([at_ms for at_ms, _ in rejected]) for limit in self._policy.limits[kind]):
                many += [ident for _, ident in rejected]
        return many
