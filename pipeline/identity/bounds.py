"""What is forgotten so that no row and no tangle grows without end: always held links, never one that links anybody."""

from collections.abc import Sequence

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.screen import Held, Screened
from pipeline.identity.state import FOREVER, Edge

SPARE = 16


def idle_links(screened: Screened, held: Sequence[Held]) -> list[Held]:
    """The held links, in their order, that link nobody and that hardly anything depends on.

    Only a limit holds them: one that isolates its identifier has a part in who is one customer. And they do not keep
    an identifier near its firebreak, whose expired links would come back without them. Nor is it the first link of
    its weaker end, which tells who claimed that.
    """
    near = {each.bond.weak for each in screened.held if each.reason == Reason.EXPIRED}
    first = {id(bond) for bond in screened.first.values()}
    return [
        each
        for each in held
        if each.reason in {Reason.LIMIT, Reason.CAP}
        and each.bond.weak not in near
        and _idle(each.bond.edge)
        and id(each.bond) not in first
    ]


def trimmed(
    ident: Identifier, edges: tuple[Edge, ...], closed: str, first: Identifier, book: Rulebook
) -> tuple[Edge, ...]:
    """The edges worth keeping in an identifier's row; the same tuple if that is all of them.

    ``first`` is the other end of the link that may claim the identifier, which always stays.

    With a firebreak of K the K + 1 newest strong links decide when it may open, and only they can link; some more are
    kept for the day when people unlink a few. Of the other links of a closed identifier the newest ``max_links`` stay,
    and so do as many of those that make others members of a household.
    """
    above, most = book.kind(ident).firebreak_above, book.rules.max_links
    if book.kind(ident).exclusive:
        most = min(most, SPARE)
    if len(edges) <= min(most, 2 * above + SPARE):
        return edges
    strong = [edge for edge in edges if _idle(edge) and book.counts(edge.peer, ident)]
    others = [
        edge
        for edge in edges
        if (closed or book.kind(ident).exclusive or book.kind(edge.peer).household)
        and _idle(edge)
        and not book.counts(edge.peer, ident)
    ]
    dropped = {edge.peer for edge in _newest_first(strong)[2 * above + SPARE :] + _newest_first(others)[most:]}
    dropped.discard(first)
    return tuple(edge for edge in edges if edge.peer not in dropped) if dropped else edges


def _idle(edge: Edge) -> bool:
    """Nobody decided anything about it."""
    return edge.ended_ms != FOREVER and not edge.asserted


def _newest_first(edges: list[Edge]) -> list[Edge]:
    return sorted(edges, key=lambda edge: (-edge.last_seen_ms, edge.peer))
