"""Contested links: INTAKE must pass on each sighting of them, because the next event can change the owner."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.decisions import MergedLink
from pipeline.identity.firebreak import Behind, counting_links, people_of
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.state import FOREVER, NEVER

LIMITED = frozenset({Reason.LIMIT, Reason.VETO, Reason.CAP})
PERMANENTLY_ISOLATED = frozenset({Reason.SUPPRESSED, Reason.HOUSEHOLD})
"""An identifier isolated for these reasons stays isolated whatever is seen."""


def contested_by(
    merged_links: Iterable[MergedLink],
    reasons: Mapping[tuple[Identifier, Identifier], str],
    isolated: Mapping[Identifier, Reason],
    policy: IdentityPolicy,
) -> dict[Identifier, set[Identifier]]:
    """Returns for each possible anchor the other ends of its contested links.

    A link is contested if one of these holds:

    * the policy of its weaker end is ``latest``, and a limit has rejected a link of that end;
    * its weaker end is near its firebreak, which opens and closes with the age of the end's links;
    * a log-out ended it, so that the next sighting revives it.

    Between types of equal priority either end can be the anchor.
    """
    merged_links = list(merged_links)
    claimed = {
        merged_link.weak
        for merged_link in merged_links
        if reasons.get((merged_link.strong, merged_link.weak)) in LIMITED
    }
    busy = _near_firebreak(merged_links, reasons, isolated, policy)
    contested: dict[Identifier, set[Identifier]] = {}
    for merged_link in merged_links:
        if (
            merged_link.edge.ended_ms == FOREVER
            or isolated.get(merged_link.strong) in PERMANENTLY_ISOLATED
            or isolated.get(merged_link.weak) in PERMANENTLY_ISOLATED
        ):
            continue
        if reasons.get((merged_link.strong, merged_link.weak)) == Reason.SHARED:
            continue
        kind, edge = policy.kind(merged_link.weak), merged_link.edge
        reviving = edge.ended_ms != NEVER and not edge.alive
        if reviving or merged_link.weak in busy or (kind.policy == "latest" and merged_link.weak in claimed):
            contested.setdefault(merged_link.strong, set()).add(merged_link.weak)
            if policy.kind(merged_link.strong).priority == kind.priority:
                contested.setdefault(merged_link.weak, set()).add(merged_link.strong)
    return contested


def _near_firebreak(
    merged_links: list[MergedLink],
    reasons: Mapping[tuple[Identifier, Identifier], str],
    isolated: Mapping[Identifier, Reason],
    policy: IdentityPolicy,
) -> AbstractSet[Identifier]:
    near, behind = counting_links(merged_links, policy), Behind(merged_links, policy)
    expired = {pair for pair, reason in reasons.items() if reason == Reason.EXPIRED}
    return {
        weak
        for weak in near
        if policy.kind(weak).firebreak_window_ms
        and len(people_of(weak, near, behind, isolated, expired)) > policy.kind(weak).firebreak_above
    }
