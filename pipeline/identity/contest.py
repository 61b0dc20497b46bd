"""Which links INTAKE must pass on each time they are seen, because the owner can change with the next event."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.decisions import Bond
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.state import FOREVER, NEVER

CLAIMED = frozenset({Reason.LIMIT, Reason.CAP})
SETTLED = frozenset({Reason.SUPPRESSED, Reason.HOUSEHOLD})
"""No sighting opens an identifier that is closed for these."""


def contested_by(
    bonds: Iterable[Bond],
    reasons: Mapping[tuple[Identifier, Identifier], str],
    closed: Mapping[Identifier, Reason],
    book: Rulebook,
) -> dict[Identifier, set[Identifier]]:
    """For each possible anchor the other ends it contests.

    Contested are links whose type's policy is ``latest`` and whose weaker end another claims too, or lost to a limit;
    strong links of an identifier near its firebreak, which opens and closes with their age; and links that the next
    sighting revives after a log-out. Between equal types either end can be the anchor.
    """
    bonds = list(bonds)
    claimed = {bond.weak for bond in bonds if reasons.get((bond.strong, bond.weak)) in CLAIMED}
    busy = _busy(bonds, book)
    found: dict[Identifier, set[Identifier]] = {}
    for bond in bonds:
        if bond.edge.ended_ms == FOREVER or closed.get(bond.strong) in SETTLED or closed.get(bond.weak) in SETTLED:
            continue
        if reasons.get((bond.strong, bond.weak)) == Reason.SHARED:
            continue
        kind, edge = book.kind(bond.weak), bond.edge
        reviving = edge.ended_ms != NEVER and not edge.alive
        if reviving or bond.weak in busy or (kind.policy == "latest" and bond.weak in claimed):
            found.setdefault(bond.strong, set()).add(bond.weak)
            if book.kind(bond.strong).priority == kind.priority:
                found.setdefault(bond.weak, set()).add(bond.strong)
    return found


def _busy(bonds: list[Bond], book: Rulebook) -> AbstractSet[Identifier]:
    near: dict[Identifier, int] = {}
    for bond in bonds:
        if (
            bond.edge.ended_ms != FOREVER
            and book.counts(bond.strong, bond.weak)
            and book.kind(bond.weak).firebreak_window_ms
        ):
            near[bond.weak] = near.get(bond.weak, 0) + 1
    return {weak for weak, count in near.items() if count > book.kind(weak).firebreak_above}
