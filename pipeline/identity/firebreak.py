"""Firebreaks: isolate an identifier that too many people share.

An identifier counts the stronger identifiers it is linked with. A type with ``firebreak_counts_weak`` also counts those
that stand *behind* it: they were seen with a weaker identifier, and that one with no other identifier of the type. A
browser that was used on one device only is such a weaker identifier: its people used the device.

Types are decided from the weakest to the strongest. Nothing is counted behind an identifier that is isolated itself, so
a placeholder that all devices send isolates none of them.
"""

from collections.abc import Container, Iterable, Mapping, MutableMapping, Sequence

from pipeline.event.identifier import Identifier, type_of
from pipeline.event.reason import Reason
from pipeline.identity.decisions import MergedLink
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.state import FOREVER

Pair = tuple[Identifier, Identifier]
"""Stronger and weaker end."""


class Behind:
    """The weaker identifiers that may add to the counts of others, and their links."""

    def __init__(self, merged_links: Iterable[MergedLink], policy: IdentityPolicy) -> None:
        self._policy = policy
        self._used_on: dict[Identifier, list[Identifier]] = {}
        self._users: dict[Identifier, list[Identifier]] = {}
        links = [link for link in merged_links if link.edge.ended_ms != FOREVER] if policy.has_hubs else []
        for merged_link in links:
            strong, weak = merged_link.strong, merged_link.weak
            if merged_link.edge.alive and policy.adds_behind(strong, weak):
                self._used_on.setdefault(weak, []).append(strong)
                self._users.setdefault(strong, []).append(weak)
        self._peers: dict[Identifier, list[Identifier]] = {weak: [] for weak in self._used_on}
        for merged_link in links if self._peers else ():
            if merged_link.weak in self._peers:
                self._peers[merged_link.weak].append(merged_link.strong)

    @property
    def hubs(self) -> Iterable[Identifier]:
        """Returns the identifiers behind which others may stand."""
        return self._users.keys()

    def counted(self, hub: Identifier, isolated: Container[Identifier], expired: Container[Pair]) -> set[Identifier]:
        """Returns the identifiers that count towards the firebreak of ``hub`` because they stand behind it."""
        kind = type_of(hub)
        counted: set[Identifier] = set()
        for weak in self._users.get(hub, ()):
            if weak in isolated or (hub, weak) in expired:
                continue
            alike = [other for other in self._used_on[weak] if type_of(other) == kind and (other, weak) not in expired]
            if len(alike) == 1:
                counted.update(
                    strong
                    for strong in self._peers[weak]
                    if (strong, weak) not in expired and self._policy.counts(strong, hub)
                )
        return counted


def counting_links(merged_links: Iterable[MergedLink], policy: IdentityPolicy) -> dict[Identifier, list[MergedLink]]:
    """Returns the links that count directly towards the firebreak of their weaker end, by that end."""
    near: dict[Identifier, list[MergedLink]] = {}
    for merged_link in merged_links:
        if merged_link.edge.ended_ms != FOREVER and policy.counts(merged_link.strong, merged_link.weak):
            near.setdefault(merged_link.weak, []).append(merged_link)
    return near


def people_of(
    ident: Identifier,
    near: Mapping[Identifier, list[MergedLink]],
    behind: Behind,
    isolated: Container[Identifier],
    expired: Container[Pair],
) -> set[Identifier]:
    """Returns all identifiers that an identifier's firebreak counts, directly or behind it."""
    return behind.counted(ident, isolated, expired) | {link.strong for link in near.get(ident, ())}


def isolate_shared(
    merged_links: Sequence[MergedLink],
    policy: IdentityPolicy,
    isolated: MutableMapping[Identifier, Reason],
    trusted: Container[Identifier],
) -> set[Pair]:
    """Adds the identifiers behind a firebreak to ``isolated``. Returns the links that are too old to count.

    ``isolated`` contains the identifiers that are isolated for other reasons.
    """
    near, behind = counting_links(merged_links, policy), Behind(merged_links, policy)
    expired: set[Pair] = set()
    for ident in sorted({*near, *behind.hubs}, key=lambda item: policy.kind(item).priority, reverse=True):
        if ident in trusted:
            continue
        stale = _stale(ident, near.get(ident, []), behind.counted(ident, isolated, expired), policy)
        if stale is None:
            isolated.setdefault(ident, Reason.FIREBREAK)
        else:
            expired.update((merged_link.strong, ident) for merged_link in stale)
    return expired


def _stale(
    ident: Identifier, near: list[MergedLink], behind: set[Identifier], policy: IdentityPolicy
) -> list[MergedLink] | None:
    """Returns the direct links that no longer count; None if more than the firebreak still do.

    Identifiers behind count at any age.
    """
    kind = policy.kind(ident)
    if len(behind | {link.strong for link in near}) <= kind.firebreak_above:
        return []
    since_ms = max((link.edge.last_seen_ms for link in near), default=0) - kind.firebreak_window_ms
    stale = [link for link in near if kind.firebreak_window_ms and link.edge.last_seen_ms < since_ms]
    fresh = behind | {link.strong for link in near} - {link.strong for link in stale}
    return stale if len(fresh) <= kind.firebreak_above else None
