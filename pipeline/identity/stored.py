"""The links and decisions that a tenant's rows hold: what explaining, drawing and trying new rules starts from."""

from collections.abc import Iterable

from pipeline.event.identifier import Identifier
from pipeline.identity.decisions import Decisions
from pipeline.identity.messages import Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.state import FOREVER, NEVER, Node


def stored(
    tenant: str, rows: Iterable[tuple[Identifier, Node]], policy: IdentityPolicy
) -> tuple[list[Link], Decisions]:
    """Every link that is kept, and what people decided, as :func:`~pipeline.identity.resolve.resolve` takes them.

    ``book`` need not hold the rules the rows were written under: under others another end may be the weaker one, and a
    decision about a pair holds all the same.
    """
    links: list[Link] = []
    decisions = Decisions()
    for ident, node in rows:
        if node.state is not None and node.state.suppressed:
            decisions.suppressed.add(ident)
        if node.state is not None and node.state.trusted:
            decisions.trusted.add(ident)
        if node.state is not None and node.state.first_logout_ms < FOREVER:
            decisions.first_logout_ms[ident] = node.state.first_logout_ms
        for edge in node.edges:
            if edge.ended_ms != NEVER:
                pair = policy.ends(edge.peer, ident)
                decisions.ended_ms[pair] = max(decisions.ended_ms.get(pair, NEVER), edge.ended_ms)
            if edge.count:
                links.append(
                    Link(
                        tenant, edge.peer, ident, edge.first_seen_ms, edge.last_seen_ms, edge.count,
                        edge.source, edge.event_id, edge.asserted, edge.peer_ms,
                    )
                )  # fmt: skip
    return links, decisions
