"""Merges the sightings of a link into one edge, in any order and any number of times."""

from pipeline.event.identifier import Identifier
from pipeline.identity.messages import Link
from pipeline.identity.state import NEVER, Edge, Node


def first_sighting(strong: Identifier, link: Link) -> Edge:
    """Returns the edge of a link seen for the first time."""
    return Edge(
        strong, link.first_seen_ms, link.last_seen_ms, link.count, link.source, link.event_id, link.asserted,
        peer_ms=peer_ms(strong, link),
    )  # fmt: skip


def peer_ms(strong: Identifier, link: Link) -> int:
    """Returns when the stronger end was first seen, as far as the link shows, in ms since 1970."""
    if link.anchor == strong and NEVER < link.anchor_first_ms < link.first_seen_ms:
        return link.anchor_first_ms
    return link.first_seen_ms


def widen(edge: Edge, link: Link) -> bool:
    """Merges further sightings into the edge: the earliest, the latest, the highest count.

    Returns whether a time or the assertion changed. A link without an event id keeps the edge's event id.
    """
    new = link.asserted and not edge.asserted
    edge.asserted = edge.asserted or link.asserted
    if link.first_seen_ms < edge.first_seen_ms:
        edge.first_seen_ms, new = link.first_seen_ms, True
    if link.last_seen_ms > edge.last_seen_ms:
        edge.last_seen_ms, new = link.last_seen_ms, True
        if link.event_id:
            edge.source, edge.event_id = link.source, link.event_id
    if (since_ms := peer_ms(edge.peer, link)) < edge.peer_ms:
        edge.peer_ms, new = since_ms, True
    edge.count = max(edge.count, link.count)
    return new


def edge_with(node: Node, strong: Identifier) -> Edge | None:
    """Returns the edge to the stronger end from the weaker end's row; None if there is none."""
    for edge in node.edges:
        if edge.peer == strong:
            return edge
    return None
