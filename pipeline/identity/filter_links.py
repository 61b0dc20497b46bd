"""Which links may link at all: not the ended, the suppressed, the household's, nor those behind a firebreak.

Everything here looks at one identifier's own links only, so that one identifier is judged without its component.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.decisions import MergedLink
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.state import FOREVER


class RejectedLink(msgspec.Struct, gc=False):
    """A link that does not link, and why."""

    merged_link: MergedLink
    reason: Reason
    rule: str


class FilteredLinks(msgspec.Struct):
    """Links that go on to :mod:`~pipeline.identity.resolve_groups`, links that do not, and who links to nothing."""

    open: list[MergedLink]
    rejected: list[RejectedLink]
    isolated: dict[Identifier, Reason]


def filter_links(
    merged_links: Sequence[MergedLink],
    policy: IdentityPolicy,
    suppressed: AbstractSet[Identifier],
    trusted: AbstractSet[Identifier],
) -> FilteredLinks:
    """Judge every merged link whose identifiers' own links are all among ``merged_links``."""
    filtered = FilteredLinks([], [], dict.fromkeys(suppressed, Reason.SUPPRESSED))
    near: dict[Identifier, list[MergedLink]] = {}
    for merged_link in merged_links:
        for end in (merged_link.strong, merged_link.weak):
            if policy.kind(end).household:
                filtered.isolated.setdefault(end, Reason.HOUSEHOLD)
        if merged_link.edge.ended_ms != FOREVER and policy.counts(merged_link.strong, merged_link.weak):
            near.setdefault(merged_link.weak, []).append(merged_link)
    expired: set[tuple[Identifier, Identifier]] = set()
    for weak in near.keys() - trusted:
        stale = _stale(near[weak], policy)
        if stale is None:
            filtered.isolated.setdefault(weak, Reason.FIREBREAK)
        else:
            expired.update((merged_link.strong, weak) for merged_link in stale)
    for merged_link in merged_links:
        rejection = _rejection(merged_link, policy, filtered.isolated, expired)
        if rejection is None:
            filtered.open.append(merged_link)
        else:
            filtered.rejected.append(rejection)
    return filtered


def _stale(near: list[MergedLink], policy: IdentityPolicy) -> list[MergedLink] | None:
    """Of the strong links of one identifier those that no longer count; None if too many still do."""
    kind = policy.kind(near[0].weak)
    if len(near) <= kind.firebreak_above:
        return []
    since_ms = max(merged_link.edge.last_seen_ms for merged_link in near) - kind.firebreak_window_ms
    stale = [
        merged_link for merged_link in near if kind.firebreak_window_ms and merged_link.edge.last_seen_ms < since_ms
    ]
    return stale if len(near) - len(stale) <= kind.firebreak_above else None


def _rejection(
    merged_link: MergedLink,
    policy: IdentityPolicy,
    isolated: dict[Identifier, Reason],
    expired: set[tuple[Identifier, Identifier]],
) -> RejectedLink | None:
    edge = merged_link.edge
    if not edge.alive:
        return RejectedLink(merged_link, Reason.UNLINKED if edge.ended_ms == FOREVER else Reason.LOGGED_OUT, "")
    reason = isolated.get(merged_link.weak)
    if reason is None and (merged_link.strong, merged_link.weak) in expired:
        reason = Reason.EXPIRED
    if reason is not None:
        return RejectedLink(merged_link, reason, rule_of(merged_link.weak, reason, policy))
    reason_of_stronger = isolated.get(merged_link.strong)
    if reason_of_stronger is not None:
        return RejectedLink(merged_link, reason_of_stronger, rule_of(merged_link.strong, reason_of_stronger, policy))
    return None


def rule_of(ident: Identifier, reason: str, policy: IdentityPolicy) -> str:
    """The rule behind a reason, as text for people."""
    kind = policy.kind(ident)
    if reason in {Reason.FIREBREAK, Reason.EXPIRED}:
        return f"{kind.name}: firebreak above {kind.firebreak_above}"
    return f"{kind.name}: household" if reason == Reason.HOUSEHOLD else ""
