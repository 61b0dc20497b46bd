"""Explains why two identifiers belong to one customer, or which rejected links keep them apart."""

from heapq import heappop, heappush

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.identity.decisions import MergedLink
from pipeline.identity.filter_links import RejectedLink
from pipeline.identity.resolve import Resolution


class Step(msgspec.Struct, frozen=True):
    """One link of a path, in the direction of the path, with the rejection if the link was rejected."""

    start: Identifier
    end: Identifier
    merged_link: MergedLink
    rejection: RejectedLink | None


class Why(msgspec.Struct, frozen=True):
    """The explanation for two identifiers."""

    same_customer: bool
    path: list[Step]
    """The path with the fewest rejected links, then the fewest links. Empty if no links connect the two."""

    @property
    def obstacles(self) -> list[RejectedLink]:
        """Returns the rejected links on the path. Had they been accepted, the two would be one customer."""
        return [step.rejection for step in self.path if step.rejection is not None]


def why(a: Identifier, b: Identifier, resolution: Resolution) -> Why:
    """Explains ``a`` and ``b`` by a resolution that covers the components of both."""
    near = _neighbours(resolution)
    arrived: dict[Identifier, Step] = {}
    waiting: list[tuple[int, int, Identifier, Identifier, Step | None]] = [(0, 0, a, "", None)]
    done: set[Identifier] = set()
    while waiting:
        rejected_count, hops, ident, _, step = heappop(waiting)
        if ident in done:
            continue
        done.add(ident)
        if step is not None:
            arrived[ident] = step
        if ident == b:
            break
        for end, merged_link, reason in near.get(ident, []):
            if end not in done:
                following = Step(ident, end, merged_link, reason)
                heappush(waiting, (rejected_count + (reason is not None), hops + 1, end, ident, following))
    founders = (resolution.founder_of.get(ident, ident) for ident in (a, b))
    return Why(len(set(founders)) == 1, _walked(a, b, arrived))


def around(ident: Identifier, resolution: Resolution) -> tuple[list[Identifier], list[MergedLink], list[RejectedLink]]:
    """Returns the customer of an identifier for drawing: members, links, and rejected links to other customers."""
    founder = resolution.founder_of.get(ident, ident)
    members = sorted({ident, *(item for item, owner in resolution.founder_of.items() if owner == founder)})
    within = set(members)
    merged_links = [merged_link for merged_link in resolution.accepted if merged_link.weak in within]
    rejected = [
        rejected_link
        for rejected_link in resolution.rejected
        if rejected_link.merged_link.weak in within or rejected_link.merged_link.strong in within
    ]
    return members, merged_links, rejected


def _neighbours(resolution: Resolution) -> dict[Identifier, list[tuple[Identifier, MergedLink, RejectedLink | None]]]:
    near: dict[Identifier, list[tuple[Identifier, MergedLink, RejectedLink | None]]] = {}
    ways: list[tuple[MergedLink, RejectedLink | None]] = [(merged_link, None) for merged_link in resolution.accepted]
    for merged_link, rejection in ways + [(rejection.merged_link, rejection) for rejection in resolution.rejected]:
        near.setdefault(merged_link.strong, []).append((merged_link.weak, merged_link, rejection))
        near.setdefault(merged_link.weak, []).append((merged_link.strong, merged_link, rejection))
    return near


def _walked(a: Identifier, b: Identifier, arrived: dict[Identifier, Step]) -> list[Step]:
    path: list[Step] = []
    while b != a and b in arrived:
        path.append(arrived[b])
        b = arrived[b].start
    return path[::-1]
