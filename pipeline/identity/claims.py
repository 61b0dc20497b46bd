"""Which person an identifier's name belongs to: names are claimed in the order of first sightings, and for good.

Types that name people form classes, one for each priority; all other types are below them. Links are taken by
``first_seen_ms``, and of both ends the *lord* is looked up, the end of the identifier's chain of claims:

* two lords below the people become one;
* a lord of a lower class is claimed by a lord of a higher class, unless that one would then hold more people's
  identifiers of a type than a limit allows;
* two lords of one class leave each other alone.

So a shared device that moves on to the next person never takes the name of the profile along, and a split-off
identifier does not get back what another has claimed.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from pipeline.event.identifier import Identifier, type_of
from pipeline.identity.decisions import Bond
from pipeline.identity.rulebook import BELOW_PEOPLE, Rulebook

APART: Final = "~"
"""Begins the founder of a profile that no identifier of its own may name. No type's name begins with it."""


class Claims(msgspec.Struct):
    """The claims that a set of links makes."""

    seen_ms: dict[Identifier, int]
    """When each identifier was first seen; those without links are missing."""
    lord_of: dict[Identifier, Identifier]
    """Who claimed each identifier in the end: itself, if nobody did."""


def claims_of(bonds: Iterable[Bond], book: Rulebook) -> Claims:
    """The claims of the links that make any. Their order in ``bonds`` makes no difference."""
    ordered = sorted(bonds, key=lambda bond: (bond.edge.first_seen_ms, bond.strong, bond.weak))
    seen_ms: dict[Identifier, int] = {}
    for bond in ordered:
        edge = bond.edge
        seen_ms[bond.strong] = min(seen_ms.get(bond.strong, edge.peer_ms), edge.peer_ms)
        seen_ms.setdefault(bond.weak, edge.first_seen_ms)
    realms = _Realms(seen_ms, book)
    for bond in ordered:
        realms.meet(bond)
    return Claims(seen_ms, {ident: realms.lord(ident) for ident in seen_ms})


def founders(
    groups: Mapping[Identifier, Iterable[Identifier]], claims: Claims, book: Rulebook
) -> dict[Identifier, Identifier]:
    """The founder of every group, by the group's key. Groups must be disjoint.

    It is the oldest identifier whose lord is among the group's strongest people, whichever group that identifier is in
    now; in a group without people, of those whose lord is any member. If there is none, a name of its own: that of the
    oldest strongest member, set apart.
    """
    at_most = {key: min(map(book.person_class, members)) for key, members in groups.items()}
    key_of = {member: key for key, members in groups.items() for member in members}
    eldest: dict[Identifier, Identifier] = {}
    for ident, lord in claims.lord_of.items():
        key = key_of.get(lord)
        if key is None or book.person_class(lord) != at_most[key]:
            continue
        known = eldest.get(key)
        if known is None or book.older(claims.seen_ms[ident], ident, claims.seen_ms[known], known):
            eldest[key] = ident
    return {
        key: eldest.get(key) or _apart(members, at_most[key], claims, book) for key, members in groups.items()
    }  # fmt: skip


def _apart(members: Iterable[Identifier], person_class: int, claims: Claims, book: Rulebook) -> Identifier:
    strongest = [member for member in members if book.person_class(member) == person_class]
    known = [member for member in strongest if member in claims.seen_ms]
    if not known:
        return min(strongest, key=book.strength)
    return APART + min(known, key=lambda member: (claims.seen_ms[member], *book.strength(member)))


class _Realms:
    """Chains of claims, and how many people's identifiers of a type with limits each lord holds."""

    def __init__(self, seen_ms: Mapping[Identifier, int], book: Rulebook) -> None:
        self._book = book
        self._claimed_by: dict[Identifier, Identifier] = {}
        self._times: dict[Identifier, dict[str, list[int]]] = {}
        for ident, at_ms in seen_ms.items():
            kind = type_of(ident)
            limited = kind in book.limits and book.person_class(ident) != BELOW_PEOPLE
            self._times[ident] = {kind: [at_ms]} if limited else {}

    def lord(self, ident: Identifier) -> Identifier:
        """The end of the chain of claims, with path halving."""
        claimed_by = self._claimed_by
        while (above := claimed_by.get(ident)) is not None:
            further = claimed_by.get(above)
            if further is not None:
                claimed_by[ident] = further
            ident = above
        return ident

    def meet(self, bond: Bond) -> None:
        """Let the lords of both ends of a link meet."""
        a, b = self.lord(bond.strong), self.lord(bond.weak)
        class_a, class_b = self._book.person_class(a), self._book.person_class(b)
        if a == b or class_a == class_b != BELOW_PEOPLE:
            return
        if not bond.edge.asserted and self._too_many(a, b):
            return
        if class_a > class_b:
            a, b = b, a
        self._claimed_by[b] = a
        mine = self._times[a]
        for kind, times in self._times.pop(b).items():
            mine[kind] = sorted(mine.get(kind, []) + times)

    def _too_many(self, a: Identifier, b: Identifier) -> bool:
        mine, theirs = self._times[a], self._times[b]
        return any(
            limit.broken_by(sorted(mine[kind] + theirs[kind]))
            for kind in mine.keys() & theirs.keys()
            for limit in self._book.limits[kind]
        )
