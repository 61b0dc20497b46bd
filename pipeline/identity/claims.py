"""Which person an identifier's name belongs to: names are claimed in the order of first sightings, and for good.

Types that name people form classes, one for each priority; all other types are below them. Links are taken by
``first_seen_ms``, and of both ends the *lord* is looked up, the end of the identifier's chain of claims:

* two lords below the people become one;
* a lord of a lower class is claimed by a lord of a higher class, unless that one would then hold more people's
  identifiers of a type than a limit allows: then each of these is disputed;
* two lords of one class leave each other alone, and the weaker end of their link is disputed.

What is disputed may be with either from then on, so no lord claims another person through it; nor through what a person
had logged out of before. What is below the people and meets a disputed identifier names no profile any more. A person
who was claimed through something else than a link with the lord, or by a party to a dispute, may turn out to be another
one: the lord's profile has names from there only while it holds that person.

So a shared device that moves on to the next person never takes the name of the profile along, and a split-off
identifier does not get back what another has claimed.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from pipeline.event.identifier import Identifier, type_of
from pipeline.identity.decisions import MergedLink
from pipeline.identity.policy import BELOW_PEOPLE, IdentityPolicy

APART: Final = "~"
"""Begins the founder of a profile that no identifier of its own may name. No type's name begins with it."""

NOBODY: Final = ""
"""The lord of names that are not used any more."""
_CLASS_OF_NOBODY: Final = -1


class Claims(msgspec.Struct):
    """The claims that a set of links makes."""

    seen_ms: dict[Identifier, int]
    """When each identifier was first seen; those without links are missing."""
    lord_of: dict[Identifier, Identifier]
    """Who claimed each identifier in the end: itself, if nobody did; NOBODY, if its name is not used any more."""
    disputed: set[Identifier]
    """Identifiers at which two people met and stayed two."""
    conditions: dict[Identifier, tuple[Identifier, ...]]
    """People that a group must hold, beside the lord, to be named after an identifier; where there are any."""


def claims_of(
    merged_links: Iterable[MergedLink], policy: IdentityPolicy, first_logout_ms: Mapping[Identifier, int]
) -> Claims:
    """The claims of the links that make any. Their order in ``merged_links`` makes no difference."""
    ordered = sorted(
        merged_links,
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
    realms = _Realms(seen_ms, policy, first_logout_ms)
    for merged_link in ordered:
        realms.meet(merged_link)
    conditions = {ident: result for ident in seen_ms if (result := realms.conditions(ident))}
    return Claims(seen_ms, {ident: realms.lord(ident) for ident in seen_ms}, realms.disputed, conditions)


def founders(
    groups: Mapping[Identifier, Iterable[Identifier]], claims: Claims, policy: IdentityPolicy
) -> dict[Identifier, Identifier]:
    """The founder of every group, by the group's key. Groups must be disjoint.

    It is the oldest identifier whose lord is among the group's strongest people, whichever group that identifier is in
    now; in a group without people, of those whose lord is any member. If there is none, a name of its own: that of the
    oldest strongest member, set apart.
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


class _Realms:
    """Chains of claims, and how many people's identifiers of a type with limits each lord holds."""

    def __init__(
        self, seen_ms: Mapping[Identifier, int], policy: IdentityPolicy, first_logout_ms: Mapping[Identifier, int]
    ) -> None:
        self._policy, self._first_logout_ms = policy, first_logout_ms
        self.disputed: set[Identifier] = set()
        self._parties: set[Identifier] = set()
        self._through_others: set[Identifier] = set()
        self._claimed_by: dict[Identifier, Identifier] = {}
        self._shortcut: dict[Identifier, Identifier] = {}
        self._limited: dict[Identifier, dict[str, list[tuple[int, Identifier]]]] = {NOBODY: {}}
        for ident, at_ms in seen_ms.items():
            kind = type_of(ident)
            limited = kind in policy.limits and policy.person_class(ident) != BELOW_PEOPLE
            self._limited[ident] = {kind: [(at_ms, ident)]} if limited else {}

    def chain(self, ident: Identifier) -> Iterator[Identifier]:
        """The identifier, who claimed it, and so on to the lord."""
        yield ident
        while (above := self._claimed_by.get(ident)) is not None:
            yield (ident := above)

    def conditions(self, ident: Identifier) -> tuple[Identifier, ...]:
        """Whom a group must hold beside the lord to be named after the identifier."""
        return tuple(item for item in self.chain(ident) if item in self._through_others)

    def lord(self, ident: Identifier) -> Identifier:
        """The end of the chain of claims, with path halving."""
        shortcut = self._shortcut
        while (above := shortcut.get(ident)) is not None:
            further = shortcut.get(above)
            if further is not None:
                shortcut[ident] = further
            ident = above
        return ident

    def meet(self, merged_link: MergedLink) -> None:
        """Let the lords of both ends of a link meet."""
        a, b = self.lord(merged_link.strong), self.lord(merged_link.weak)
        if a == b:
            return
        class_a, class_b = self._class_of(a), self._class_of(b)
        if class_a <= class_b:
            above, below, class_below, end = a, b, class_b, merged_link.strong
        else:
            above, below, class_below, end = b, a, class_a, merged_link.weak
        if class_below == BELOW_PEOPLE:
            self._claim(NOBODY if end in self.disputed else above, below)
            return
        if above == NOBODY:
            return
        many = [] if merged_link.edge.asserted else self._too_many(a, b)
        if class_a == class_b or many or self._may_be_elsewhere(merged_link):
            self.disputed |= {merged_link.weak, *many}
            self._parties |= {a, b}
            return
        if {above, below} != {merged_link.strong, merged_link.weak} or self._parties & {above, below}:
            self._through_others.add(below)
        self._claim(above, below)

    def _class_of(self, lord: Identifier) -> int:
        return self._policy.person_class(lord) if lord else _CLASS_OF_NOBODY

    def _may_be_elsewhere(self, merged_link: MergedLink) -> bool:
        """Whether another person than the lord may be at an end of the link."""
        ends = (merged_link.strong, merged_link.weak)
        return any(
            end in self.disputed
            or self._first_logout_ms.get(end, merged_link.edge.first_seen_ms) < merged_link.edge.first_seen_ms
            for end in ends
        )

    def _claim(self, above: Identifier, below: Identifier) -> None:
        self._claimed_by[below] = self._shortcut[below] = above
        mine = self._limited[above]
        for kind, rejected in self._limited.pop(below).items():
            mine[kind] = sorted(mine.get(kind, []) + rejected)

    def _too_many(self, a: Identifier, b: Identifier) -> list[Identifier]:
        """The identifiers of which two lords together would hold more than a limit allows: any may have to go."""
        mine, theirs = self._limited[a], self._limited[b]
        many: list[Identifier] = []
        for kind in mine.keys() & theirs.keys():
            rejected = sorted(mine[kind] + theirs[kind])
            if any(limit.broken_by([at_ms for at_ms, _ in rejected]) for limit in self._policy.limits[kind]):
                many += [ident for _, ident in rejected]
        return many
