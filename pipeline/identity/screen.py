"""Which links may link at all: not the ended, the suppressed, the household's, nor those behind a firebreak.

Everything here looks at one identifier's own links only, so that one identifier is judged without its component.
"""

from collections.abc import Container, Iterable, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.decisions import Bond
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.state import FOREVER

_SILENT = frozenset({Reason.SUPPRESSED, Reason.HOUSEHOLD})
"""Links with what is closed for these claim nothing."""


class Held(msgspec.Struct, gc=False):
    """A link that does not link, and why."""

    bond: Bond
    reason: Reason
    rule: str


class Screened(msgspec.Struct):
    """Links that go on to :mod:`~pipeline.identity.settle`, links that do not, and who links to nothing."""

    open: list[Bond]
    held: list[Held]
    closed: dict[Identifier, Reason]
    claiming: list[Bond]
    """Links that :mod:`~pipeline.identity.claims` are made of: the open ones, those that a log-out ended, and of those
    with a firebreak in between, or with what is exclusive, each weaker end's first."""
    first: dict[Identifier, Bond]
    """By weaker end, the link that was seen first of those that may claim."""


def screen(
    bonds: Sequence[Bond], book: Rulebook, suppressed: AbstractSet[Identifier], trusted: AbstractSet[Identifier]
) -> Screened:
    """Judge every bond whose identifiers' own links are all among ``bonds``."""
    found = Screened([], [], dict.fromkeys(suppressed, Reason.SUPPRESSED), [], {})
    near: dict[Identifier, list[Bond]] = {}
    for bond in bonds:
        for end in (bond.strong, bond.weak):
            if book.kind(end).household:
                found.closed.setdefault(end, Reason.HOUSEHOLD)
        if bond.edge.ended_ms != FOREVER and book.counts(bond.strong, bond.weak):
            near.setdefault(bond.weak, []).append(bond)
    expired: set[tuple[Identifier, Identifier]] = set()
    for weak in near.keys() - trusted:
        stale = _stale(near[weak], book)
        if stale is None:
            found.closed.setdefault(weak, Reason.FIREBREAK)
        else:
            expired.update((bond.strong, weak) for bond in stale)
    first = found.first = _first_claims(bonds, book, suppressed)
    for bond in bonds:
        shared = book.kind(bond.weak).exclusive and not bond.edge.asserted and first.get(bond.weak) is not bond
        held = _held(bond, book, found.closed, expired, shared=shared)
        if held is None:
            found.open.append(bond)
        else:
            found.held.append(held)
    found.claiming = _claiming(bonds, book, found.closed, expired, first)
    return found


def _first_claims(bonds: Iterable[Bond], book: Rulebook, suppressed: Container[Identifier]) -> dict[Identifier, Bond]:
    first: dict[Identifier, Bond] = {}
    for bond in bonds:
        strong, weak, edge = bond.strong, bond.weak, bond.edge
        if edge.ended_ms == FOREVER or strong in suppressed or weak in suppressed or book.kind(strong).household:
            continue
        known = first.get(weak)
        if known is None or (edge.first_seen_ms, strong) < (known.edge.first_seen_ms, known.strong):
            first[weak] = bond
    return first


def _claiming(
    bonds: Sequence[Bond],
    book: Rulebook,
    closed: dict[Identifier, Reason],
    expired: set[tuple[Identifier, Identifier]],
    first: dict[Identifier, Bond],
) -> list[Bond]:
    claiming = []
    for bond in bonds:
        strong, weak = bond.strong, bond.weak
        if bond.edge.ended_ms == FOREVER or closed.get(strong) in _SILENT or closed.get(weak) in _SILENT:
            continue
        between = (strong, weak) in expired or Reason.FIREBREAK in {closed.get(strong), closed.get(weak)}
        between = between or (book.kind(weak).exclusive and not bond.edge.asserted)
        if not between or first[weak] is bond:
            claiming.append(bond)
    return claiming


def _stale(near: list[Bond], book: Rulebook) -> list[Bond] | None:
    """Of the strong links of one identifier those that no longer count; None if too many still do."""
    kind = book.kind(near[0].weak)
    if len(near) <= kind.firebreak_above:
        return []
    since_ms = max(bond.edge.last_seen_ms for bond in near) - kind.firebreak_window_ms
    stale = [bond for bond in near if kind.firebreak_window_ms and bond.edge.last_seen_ms < since_ms]
    return stale if len(near) - len(stale) <= kind.firebreak_above else None


def _held(
    bond: Bond,
    book: Rulebook,
    closed: dict[Identifier, Reason],
    expired: set[tuple[Identifier, Identifier]],
    *,
    shared: bool,
) -> Held | None:
    edge = bond.edge
    if not edge.alive:
        return Held(bond, Reason.UNLINKED if edge.ended_ms == FOREVER else Reason.LOGGED_OUT, "")
    own = closed.get(bond.weak)
    if own is None and (bond.strong, bond.weak) in expired:
        own = Reason.EXPIRED
    if own is None and shared and not book.kind(bond.strong).household:
        own = Reason.SHARED
    if own is not None:
        return Held(bond, own, rule_of(bond.weak, own, book))
    other = closed.get(bond.strong)
    if other is not None:
        return Held(bond, other, rule_of(bond.strong, other, book))
    return None


def rule_of(ident: Identifier, reason: str, book: Rulebook) -> str:
    """The rule behind a reason, as text for people."""
    kind = book.kind(ident)
    if reason in {Reason.FIREBREAK, Reason.EXPIRED}:
        return f"{kind.name}: firebreak above {kind.firebreak_above}"
    if reason == Reason.SHARED:
        return f"{kind.name}: exclusive"
    return f"{kind.name}: household" if reason == Reason.HOUSEHOLD else ""
