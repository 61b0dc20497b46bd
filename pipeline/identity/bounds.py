"""What is forgotten so that no row and no tangle grows without end: always held links, never one that links anybody."""

from collections.abc import Sequence

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.screen import Held
from pipeline.identity.state import FOREVER, Edge


def lightest(held: Sequence[Held], excess: int) -> list[Held]:
    """Of a tangle's held links, heaviest first, the ``excess`` lightest that no other outcome depends on.

    A link held by a limit has no part in who is one customer. One that isolates its identifier has.
    """
    idle = [each for each in held if each.reason in {Reason.LIMIT, Reason.CAP} and _idle(each.bond.edge)]
    return idle[max(0, len(idle) - excess) :]


def trimmed(ident: Identifier, edges: list[Edge], reason: str, book: Rulebook) -> list[Edge]:
    """The edges worth keeping in the row of a closed identifier; the same list if that is all of them.

    Behind a firebreak of K the K + 1 newest strong links decide when it may open, so those are enough; of the others,
    and of everything where the reason is another one, the newest ``max_links`` are kept.
    """
    most = book.rules.max_links
    enough = book.kind(ident).firebreak_above + 1 if reason == Reason.FIREBREAK else most
    strong = [edge for edge in edges if _idle(edge) and book.counts(edge.peer, ident)]
    others = [edge for edge in edges if _idle(edge) and not book.counts(edge.peer, ident)]
    dropped = {edge.peer for edge in _newest_first(strong)[enough:] + _newest_first(others)[most:]}
    return [edge for edge in edges if edge.peer not in dropped] if dropped else edges


def _idle(edge: Edge) -> bool:
    """Nobody decided anything about it."""
    return edge.ended_ms != FOREVER and not edge.asserted


def _newest_first(edges: list[Edge]) -> list[Edge]:
    return sorted(edges, key=lambda edge: (-edge.last_seen_ms, edge.peer))
