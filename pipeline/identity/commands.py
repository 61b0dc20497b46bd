"""What people decide, written into the rows; the rebuilding that follows draws the consequences."""

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.identity.decisions import asserted_by
from pipeline.identity.forest import Forest
from pipeline.identity.messages import ChangeKind, Command
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.sighting import edge_with, first_sighting, widen
from pipeline.identity.state import FOREVER, NEVER, UNJUDGED, Edge, Knot, Node

LINES: dict[str, ChangeKind] = {
    "link": "linked", "unlink": "unlinked", "logout": "unlinked", "suppress": "quarantined", "release": "released",
}  # fmt: skip
"""How ``identity.changes`` calls each command."""


def apply(command: Command, book: Rulebook, forest: Forest, nodes: Table[Node]) -> list[tuple[Identifier, ...]]:
    """Write one command down. A command about identifiers nobody has seen yet holds from their first link on.

    Returns what to look at again: the identifier or the pair, and every other pair whose link it ended.
    """
    touched: list[tuple[Identifier, ...]] = [(command.a, command.b) if command.b else (command.a,)]
    if command.b:
        strong, weak = book.ends(command.a, command.b)
        node = forest.plant(weak)
        _decide_pair(command, node, strong)
        if command.kind == "logout":
            touched += [(peer, weak) for peer in _log_out(command, node, book)]
    elif command.kind == "logout":
        weak, node = command.a, forest.plant(command.a)
        touched += [(peer, weak) for peer in _log_out(command, node, book)]
    else:
        weak, node = command.a, forest.plant(command.a)
        node.knot = _decide_one(command, node.knot or Knot())
    nodes.put(weak, node)
    return touched


def _decide_pair(command: Command, node: Node, strong: Identifier) -> None:
    edge = edge_with(node, strong)
    if command.kind == "link":
        if edge is None:
            edge = first_sighting(strong, asserted_by(command))
            edge.held = UNJUDGED
            node.edges += (edge,)
        else:
            widen(edge, asserted_by(command))
        edge.ended_ms = NEVER
        return
    if edge is None:
        edge = Edge(strong, FOREVER, NEVER, 0, "", "", held=UNJUDGED)
        node.edges += (edge,)
    edge.ended_ms = FOREVER if command.kind == "unlink" else max(edge.ended_ms, command.timestamp_ms)


def _log_out(command: Command, node: Node, book: Rulebook) -> list[Identifier]:
    """End every person's link that is not newer, or it would go back to who was logged in before; whose it ended."""
    node.knot = node.knot or Knot()
    node.knot.left_ms = max(node.knot.left_ms, command.timestamp_ms)
    node.knot.first_logout_ms = min(node.knot.first_logout_ms, command.timestamp_ms)
    ended = []
    for edge in node.edges:
        if edge.ended_ms < command.timestamp_ms and book.kind(edge.peer).strong:
            was_alive, edge.ended_ms = edge.alive, command.timestamp_ms
            if was_alive and not edge.alive:
                ended.append(edge.peer)
    return ended


def _decide_one(command: Command, knot: Knot) -> Knot:
    if command.kind == "suppress":
        knot.suppressed, knot.trusted = True, False
    elif knot.suppressed:
        knot.suppressed = False
    else:
        knot.trusted = True
    return knot
