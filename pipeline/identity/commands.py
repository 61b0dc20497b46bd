"""Writes people's commands into the rows. The rebuild that follows resolves the affected components."""

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.identity.decisions import asserted_by
from pipeline.identity.messages import ChangeKind, Command
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.sighting import edge_with, first_sighting, widen
from pipeline.identity.state import FOREVER, NEVER, UNRESOLVED, Edge, IdentifierState, Node
from pipeline.identity.union_find import UnionFind

CHANGE_OF_COMMAND: dict[str, ChangeKind] = {
    "link": "linked", "unlink": "unlinked", "logout": "unlinked", "suppress": "quarantined", "release": "released",
    "erase": "erased", "opt_out": "opted_out", "opt_in": "opted_in",
}  # fmt: skip
"""The name of each command's change on ``identity.changes``."""


def apply(
    command: Command, policy: IdentityPolicy, union_find: UnionFind, nodes: Table[Node]
) -> list[tuple[Identifier, ...]]:
    """Stores one command. A command about identifiers that were never seen applies from their first link on.

    Returns the identifiers and pairs to resolve again: those of the command, and every other pair whose link it ended.
    """
    affected: list[tuple[Identifier, ...]] = [(command.a, command.b) if command.b else (command.a,)]
    if command.b:
        strong, weak = policy.ends(command.a, command.b)
        node = union_find.get_or_create(weak)
        _decide_pair(command, node, strong, "" if policy.kind(strong).must_agree else UNRESOLVED)
        if command.kind == "logout":
            affected += [(peer, weak) for peer in _log_out(command, node, policy)]
    elif command.kind == "logout":
        weak, node = command.a, union_find.get_or_create(command.a)
        affected += [(peer, weak) for peer in _log_out(command, node, policy)]
    else:
        weak, node = command.a, union_find.get_or_create(command.a)
        node.state = _decide_one(command, node.state or IdentifierState())
    nodes.put(weak, node)
    return affected


def _decide_pair(command: Command, node: Node, strong: Identifier, rejection: str) -> None:
    edge = edge_with(node, strong)
    if command.kind == "link":
        if edge is None:
            edge = first_sighting(strong, asserted_by(command))
            edge.rejection = rejection
            node.edges += (edge,)
        else:
            widen(edge, asserted_by(command))
        edge.ended_ms = NEVER
        return
    if edge is None:
        edge = Edge(strong, FOREVER, NEVER, 0, "", "", rejection=rejection)
        node.edges += (edge,)
    edge.ended_ms = FOREVER if command.kind == "unlink" else max(edge.ended_ms, command.timestamp_ms)


def _log_out(command: Command, node: Node, policy: IdentityPolicy) -> list[Identifier]:
    """Ends every link with a person that is not newer than the log-out. Returns the people's identifiers it ended."""
    node.state = node.state or IdentifierState()
    node.state.logged_out_ms = max(node.state.logged_out_ms, command.timestamp_ms)
    node.state.first_logout_ms = min(node.state.first_logout_ms, command.timestamp_ms)
    ended = []
    # All links with people end, not only the last: otherwise the device would return to the person logged in before.
    for edge in node.edges:
        if edge.ended_ms < command.timestamp_ms and policy.kind(edge.peer).strong:
            was_alive, edge.ended_ms = edge.alive, command.timestamp_ms
            if was_alive and not edge.alive:
                ended.append(edge.peer)
    return ended


def _decide_one(command: Command, state: IdentifierState) -> IdentifierState:
    if command.kind == "suppress":
        state.suppressed, state.trusted = True, False
    elif state.suppressed:
        state.suppressed = False
    else:
        state.trusted = True
    return state
