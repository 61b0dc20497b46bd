"""Who is one customer: open links taken in the order of their weight, united while no limit breaks.

The order depends on the links alone, never on their arrival: asserted links, then by the type of the weaker end,
strongest first; within a type newest or oldest first as its policy says; at last a stable hash. A held link never ends
up inside one group, because limits that two groups break together are still broken when both have grown.
"""

from bisect import insort
from zlib import crc32

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.decisions import Bond
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.screen import Held


class Settled(msgspec.Struct):
    """Groups by any key, and the links that would have broken a limit, heaviest first."""

    group_of: dict[Identifier, Identifier]
    held: list[Held]


def settle(bonds: list[Bond], book: Rulebook) -> Settled:
    """Resolve links that passed the screen. A type whose policy is ``isolate`` loses what two customers claim."""
    ordered = sorted(bonds, key=lambda bond: _weight(bond, book))
    isolated: set[Identifier] = set()
    asserted = {end for bond in bonds if bond.edge.asserted for end in (bond.strong, bond.weak)}
    while True:
        groups, held = _unite(ordered, book, isolated)
        contested = {
            each.bond.weak
            for each in held
            if each.reason != Reason.ISOLATED and book.kind(each.bond.weak).policy == "isolate"
        } - asserted
        if not contested:
            return Settled({ident: groups.find(ident) for ident in groups.parents}, held)
        isolated |= contested


def _weight(bond: Bond, book: Rulebook) -> tuple[bool, int, str, int, int, Identifier, Identifier]:
    edge, kind = bond.edge, book.kind(bond.weak)
    age = -edge.last_seen_ms if kind.policy == "latest" else edge.first_seen_ms
    mixed = crc32(f"{bond.strong} {bond.weak}".encode())
    return not edge.asserted, kind.priority, kind.name, age, mixed, bond.strong, bond.weak


def _unite(ordered: list[Bond], book: Rulebook, isolated: set[Identifier]) -> tuple["Groups", list[Held]]:
    groups, held = Groups(ordered, book), []
    for bond in ordered:
        lone = next((end for end in (bond.weak, bond.strong) if end in isolated), None)
        if lone is not None:
            held.append(Held(bond, Reason.ISOLATED, f"{book.kind(lone).name}: isolate"))
            continue
        a, b = groups.find(bond.strong), groups.find(bond.weak)
        if a == b:
            continue
        broken = groups.broken(a, b, asserted=bond.edge.asserted)
        if broken is None:
            groups.unite(a, b)
        else:
            held.append(Held(bond, broken[0], broken[1]))
    return groups, held


class Groups:
    """Union-find in memory over the ends of ``bonds``, with what the limits need to know of each group."""

    def __init__(self, bonds: list[Bond], book: Rulebook) -> None:
        self.parents: dict[Identifier, Identifier] = {}
        self._book = book
        self._sizes: dict[Identifier, int] = {}
        self._times: dict[Identifier, dict[str, list[int]]] = {}
        seen: dict[Identifier, int] = {}
        for bond in bonds:
            for end in (bond.strong, bond.weak):
                seen[end] = min(seen.get(end, bond.edge.first_seen_ms), bond.edge.first_seen_ms)
        for ident, at_ms in seen.items():
            kind = ident.partition(":")[0]
            self.parents[ident], self._sizes[ident] = ident, 1
            self._times[ident] = {kind: [at_ms]} if kind in book.limits else {}

    def find(self, ident: Identifier) -> Identifier:
        """The group's representative, with path halving."""
        parents = self.parents
        while parents[ident] != ident:
            parents[ident] = parents[parents[ident]]
            ident = parents[ident]
        return ident

    def broken(self, a: Identifier, b: Identifier, *, asserted: bool) -> tuple[Reason, str] | None:
        """The limit that the two groups would break as one. Types' limits do not bind a person's assertion."""
        cap = self._book.rules.max_identifiers
        if self._sizes[a] + self._sizes[b] > cap:
            return Reason.CAP, f"max_identifiers: {cap}"
        if asserted:
            return None
        times_a, times_b = self._times[a], self._times[b]
        for kind in sorted(times_a.keys() & times_b.keys()):
            together = sorted(times_a[kind] + times_b[kind])
            for limit in self._book.limits[kind]:
                if limit.broken_by(together):
                    return Reason.LIMIT, f"{kind}: {limit.text}"
        return None

    def unite(self, a: Identifier, b: Identifier) -> None:
        """Make two groups one, the smaller under the larger."""
        if self._sizes[a] < self._sizes[b]:
            a, b = b, a
        self.parents[b] = a
        self._sizes[a] += self._sizes.pop(b)
        mine = self._times[a]
        for kind, times in self._times.pop(b).items():
            known = mine.setdefault(kind, [])
            for at_ms in times:
                insort(known, at_ms)
