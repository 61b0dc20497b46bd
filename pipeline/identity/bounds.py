"""Which links are forgotten so that rows and marked components stay bounded: always rejected ones."""

from collections.abc import Sequence

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.filter_links import FilteredLinks, RejectedLink
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.state import FOREVER, Edge

SPARE_EDGES = 16


def forgettable_links(filtered: FilteredLinks, rejected: Sequence[RejectedLink]) -> list[RejectedLink]:
    """The rejected links, in their order, that link nobody and that hardly anything depends on.

    Only a limit holds them: one that isolates its identifier has a part in who is one customer. And they do not keep
    an identifier near its firebreak, whose expired links would come back without them. Nor is it the first link of
    its weaker end, which tells who claimed that.
    """
    near = {
        rejected_link.merged_link.weak for rejected_link in filtered.rejected if rejected_link.reason == Reason.EXPIRED
    }
    first = {id(merged_link) for merged_link in filtered.first.values()}
    return [
        rejected_link
        for rejected_link in rejected
        if rejected_link.reason in {Reason.LIMIT, Reason.CAP}
        and rejected_link.merged_link.weak not in near
        and _is_undecided(rejected_link.merged_link.edge)
        and id(rejected_link.merged_link) not in first
    ]


def trimmed(
    ident: Identifier, edges: tuple[Edge, ...], isolated: str, first: Identifier, policy: IdentityPolicy
) -> tuple[Edge, ...]:
    """The edges worth keeping in an identifier's row; the same tuple if that is all of them.

    ``first`` is the other end of the link that may claim the identifier, which always stays.

    With a firebreak of K the K + 1 newest strong links decide when it may open, and only they can link; some more are
    kept for the day when people unlink a few. Of the other links of an isolated identifier the newest ``max_links``
    stay, and so do as many of those that make others members of a household.
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
        if (isolated or policy.kind(ident).exclusive or policy.kind(edge.peer).household)
        and _is_undecided(edge)
        and not policy.counts(edge.peer, ident)
    ]
    dropped = {edge.peer for edge in _newest_first(strong)[2 * above + SPARE_EDGES :] + _newest_first(others)[limit:]}
    dropped.discard(first)
    return tuple(edge for edge in edges if edge.peer not in dropped) if dropped else edges


def _is_undecided(edge: Edge) -> bool:
    """Nobody decided anything about it."""
    return edge.ended_ms != FOREVER and not edge.asserted


def _newest_first(edges: list[Edge]) -> list[Edge]:
    return sorted(edges, key=lambda edge: (-edge.last_seen_ms, edge.peer))
