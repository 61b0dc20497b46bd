"""Why two identifiers are one customer, or what keeps them apart."""

from heapq import heappop, heappush

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.identity.decisions import Bond
from pipeline.identity.resolve import Resolution
from pipeline.identity.screen import Held


class Step(msgspec.Struct, frozen=True):
    """One link of the way, in the direction walked; ``held`` says why it does not link, if it does not."""

    start: Identifier
    end: Identifier
    bond: Bond
    held: Held | None


class Why(msgspec.Struct, frozen=True):
    """The answer for two identifiers."""

    together: bool
    path: list[Step]
    """The way with the fewest held links, then the fewest links. Empty where no links lead from one to the other."""

    @property
    def obstacles(self) -> list[Held]:
        """The held links on the way: without these limits the two would be one customer."""
        return [step.held for step in self.path if step.held is not None]


def why(a: Identifier, b: Identifier, resolution: Resolution) -> Why:
    """Explain ``a`` and ``b`` from a resolution that covers both their components."""
    near = _neighbours(resolution)
    arrived: dict[Identifier, Step] = {}
    waiting: list[tuple[int, int, Identifier, Identifier, Step | None]] = [(0, 0, a, "", None)]
    done: set[Identifier] = set()
    while waiting:
        held, hops, ident, _, step = heappop(waiting)
        if ident in done:
            continue
        done.add(ident)
        if step is not None:
            arrived[ident] = step
        if ident == b:
            break
        for end, bond, reason in near.get(ident, []):
            if end not in done:
                following = Step(ident, end, bond, reason)
                heappush(waiting, (held + (reason is not None), hops + 1, end, ident, following))
    founders = (resolution.founder_of.get(ident, ident) for ident in (a, b))
    return Why(len(set(founders)) == 1, _walked(a, b, arrived))


def around(ident: Identifier, resolution: Resolution) -> tuple[list[Identifier], list[Bond], list[Held]]:
    """The customer of an identifier, to draw: its members, its links, and the held links at its border."""
    founder = resolution.founder_of.get(ident, ident)
    members = sorted({ident, *(each for each, owner in resolution.founder_of.items() if owner == founder)})
    within = set(members)
    bonds = [bond for bond in resolution.accepted if bond.weak in within]
    held = [each for each in resolution.held if each.bond.weak in within or each.bond.strong in within]
    return members, bonds, held


def _neighbours(resolution: Resolution) -> dict[Identifier, list[tuple[Identifier, Bond, Held | None]]]:
    near: dict[Identifier, list[tuple[Identifier, Bond, Held | None]]] = {}
    ways: list[tuple[Bond, Held | None]] = [(bond, None) for bond in resolution.accepted]
    for bond, held in ways + [(held.bond, held) for held in resolution.held]:
        near.setdefault(bond.strong, []).append((bond.weak, bond, held))
        near.setdefault(bond.weak, []).append((bond.strong, bond, held))
    return near


def _walked(a: Identifier, b: Identifier, arrived: dict[Identifier, Step]) -> list[Step]:
    path: list[Step] = []
    while b != a and b in arrived:
        path.append(arrived[b])
        b = arrived[b].start
    return path[::-1]
