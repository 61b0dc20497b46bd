"""How a link's sightings add up to one edge, in any order and any number of times."""

from pipeline.event.identifier import Identifier
from pipeline.identity.messages import Link
from pipeline.identity.state import Edge, Node


def first_sighting(strong: Identifier, link: Link) -> Edge:
    """The edge of a link seen for the first time."""
    return Edge(strong, link.first_seen_ms, link.last_seen_ms, link.count, link.source, link.event_id, link.asserted)


def widen(edge: Edge, link: Link) -> bool:
    """Take a further sighting in. False if it told nothing new; its count then stands for a repetition."""
    new = link.asserted and not edge.asserted
    edge.asserted = edge.asserted or link.asserted
    if link.first_seen_ms < edge.first_seen_ms:
        edge.first_seen_ms, new = link.first_seen_ms, True
    if link.last_seen_ms > edge.last_seen_ms:
        edge.last_seen_ms, edge.source, edge.event_id, new = link.last_seen_ms, link.source, link.event_id, True
    if new:
        edge.count += link.count
    return new


def edge_with(node: Node, strong: Identifier) -> Edge | None:
    """The link with the stronger end, kept in its weaker end's row."""
    for edge in node.edges:
        if edge.peer == strong:
            return edge
    return None
