"""Reads links and decisions from a tenant's rows, as input for explaining, drawing and dry runs of new rules."""

from collections.abc import Iterable

from pipeline.event.identifier import Identifier
from pipeline.identity.decisions import Decisions
from pipeline.identity.messages import Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.state import FOREVER, NEVER, Node


def stored(
    tenant: str, rows: Iterable[tuple[Identifier, Node]], policy: IdentityPolicy
) -> tuple[list[Link], Decisions]:
    """Returns every stored link and people's decisions, as input for :func:`~pipeline.identity.resolve.resolve`.

    ``policy`` may differ from the one the rows were written under. The weaker end of a pair may then be the other one;
    decisions about the pair still apply.
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
