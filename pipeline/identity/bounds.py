"""The bounds on rows and on components marked for resolution. Only rejected links are forgotten to keep them."""

from collections.abc import Sequence

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.filter_links import FilteredLinks, RejectedLink
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.state import FOREVER, Edge

SPARE_EDGES = 16


def forgettable_links(filtered: FilteredLinks, rejected: Sequence[RejectedLink]) -> list[RejectedLink]:
    """Returns the rejected links that are safe to forget, in their order: no person decided them.

    Excludes three kinds of links that still influence the result:

    * links rejected for another reason than a limit, such as one that isolates its identifier;
    * links that count towards a firebreak: without them its expired links would be accepted again;
    * the first link of a weaker end, which determines the claim on that identifier.
    """
    near = {
        rejected_link.merged_link.weak for rejected_link in filtered.rejected if rejected_link.reason == Reason.EXPIRED
    }
    first = {id(merged_link) for merged_link in filtered.first.values()}
    return [
        rejected_link
        for rejected_link in rejected
        if rejected_link.reason in {Reason.LIMIT, Reason.VETO, Reason.CAP}
        and rejected_link.merged_link.weak not in near
        and _is_undecided(rejected_link.merged_link.edge)
        and id(rejected_link.merged_link) not in first
    ]


def trimmed(
    ident: Identifier, edges: tuple[Edge, ...], isolated: str, first: Identifier, policy: IdentityPolicy
) -> tuple[Edge, ...]:
    """Returns the edges to keep in an identifier's row; the same tuple if that is all of them.

    Keeps all edges with a person's decision, and the edge to ``first``, which determines the claim on the identifier.
    Keeps the newest strong edges: with a firebreak of K, the newest K + 1 determine when it opens, and some more
    replace them if people unlink a few. Of the other edges of an isolated or exclusive identifier, and of its household
    memberships, it keeps the newest ``max_links`` (SPARE_EDGES for exclusive types).
    """
    above, limit = policy.kind(ident).firebreak_above, policy.rules.max_links
    if policy.kind(ident).exclusive:
        limit = min(limit, SPARE_EDGES)
    if len(edges) <= min(limit, 2 * above + SPARE_EDGES):
        return edges
    strong = [edge for edge in edges if _is_undecided(edge) and policy.counts(edge.peer, ident)]
    others = [
        edge
        for edge in edges
        if not policy.kind(edge.peer).must_agree
        and (isolated or policy.kind(ident).exclusive or policy.kind(edge.peer).household)
        and _is_undecided(edge)
        and not policy.counts(edge.peer, ident)
    ]
    dropped = {edge.peer for edge in _newest_first(strong)[2 * above + SPARE_EDGES :] + _newest_first(others)[limit:]}
    dropped.discard(first)
    return tuple(edge for edge in edges if edge.peer not in dropped) if dropped else edges


def _is_undecided(edge: Edge) -> bool:
    """Returns whether no person has decided about the link."""
    return edge.ended_ms != FOREVER and not edge.asserted


def _newest_first(edges: list[Edge]) -> list[Edge]:
    return sorted(edges, key=lambda edge: (-edge.last_seen_ms, edge.peer))
