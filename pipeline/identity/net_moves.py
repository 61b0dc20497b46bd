"""The moves of one event, as far as they remain: a ledger does not visit a profile that it leaves at the same moment.

A log-out that names a person links the device to the person and ends that link at once. Without this, the person's
profile would take the device's ledgers and lose them again, and decide in between.
"""

from collections.abc import Sequence

from pipeline.event.identifier import Identifier
from pipeline.identity.messages import Move


def net_moves(moves: Sequence[Move]) -> list[Move]:
    """Returns the moves from each anchor's first source to its last target, by rising number of the last decision."""
    first: dict[Identifier, str] = {}
    last: dict[Identifier, Move] = {}
    for move in moves:
        for anchor in move.anchors:
            first.setdefault(anchor, move.source)
            last[anchor] = move
    remaining: dict[tuple[int, str, str], Move] = {}
    for anchor, move in last.items():
        source, target = first[anchor], move.target
        if source != target:
            way = move.seq, source, target
            if way not in remaining:
                remaining[way] = Move(move.tenant, [], source, target, move.seq)
            remaining[way].anchors.append(anchor)
    return [remaining[way] for way in sorted(remaining)]
