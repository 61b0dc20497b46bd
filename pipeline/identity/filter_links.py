"""Filters out links that cannot join customers: ended, suppressed, household and firebreak links.

The filter of an identifier reads only the identifier's own links, and those of the weaker identifiers that its
firebreak (:mod:`~pipeline.identity.firebreak`) counts behind it.
"""

from collections.abc import Container, Iterable, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.decisions import MergedLink
from pipeline.identity.firebreak import Pair, isolate_shared
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.state import FOREVER

_SILENT = frozenset({Reason.SUPPRESSED, Reason.HOUSEHOLD})
"""Links with an identifier isolated for these reasons make no claims."""


class RejectedLink(msgspec.Struct, gc=False):
    """A link that does not join its ends, with the reason and the rule."""

    merged_link: MergedLink
    reason: Reason
    rule: str


class FilteredLinks(msgspec.Struct):
    """The open links, which :mod:`~pipeline.identity.resolve_groups` reads; rejected links; isolated identifiers."""

    open: list[MergedLink]
    rejected: list[RejectedLink]
    isolated: dict[Identifier, Reason]
    claiming: list[MergedLink]
    """The links that make :mod:`~pipeline.identity.claims`: open ones, those ended by a log-out, and the first link of
    each weaker end that is behind a firebreak or of an exclusive type."""
    first: dict[Identifier, MergedLink]
    """By weaker end, the earliest seen link that may make a claim."""
    facts: list[MergedLink] = []
    """The facts in force (:mod:`~pipeline.identity.veto`)."""


def filter_links(
    merged_links: Sequence[MergedLink],
    policy: IdentityPolicy,
    suppressed: AbstractSet[Identifier],
    trusted: AbstractSet[Identifier],
) -> FilteredLinks:
    """Filters merged links. ``merged_links`` must contain all links of the identifiers in question."""
    filtered = FilteredLinks([], [], dict.fromkeys(suppressed, Reason.SUPPRESSED), [], {})
    for merged_link in merged_links:
        for end in (merged_link.strong, merged_link.weak):
            if policy.kind(end).household:
                filtered.isolated.setdefault(end, Reason.HOUSEHOLD)
    expired = isolate_shared(merged_links, policy, filtered.isolated, trusted)
    first = filtered.first = _first_claims(merged_links, policy, suppressed)
    for merged_link in merged_links:
        shared = (
            policy.kind(merged_link.weak).exclusive
            and not merged_link.edge.asserted
            and first.get(merged_link.weak) is not merged_link
        )
        rejection = _rejection(merged_link, policy, filtered.isolated, expired, shared=shared)
        if rejection is None:
            filtered.open.append(merged_link)
        else:
            filtered.rejected.append(rejection)
    filtered.claiming = _claiming(merged_links, policy, filtered.isolated, expired, first)
    return filtered


def _first_claims(
    merged_links: Iterable[MergedLink], policy: IdentityPolicy, suppressed: Container[Identifier]
) -> dict[Identifier, MergedLink]:
    first: dict[Identifier, MergedLink] = {}
    for merged_link in merged_links:
        strong, weak, edge = merged_link.strong, merged_link.weak, merged_link.edge
        if edge.ended_ms == FOREVER or strong in suppressed or weak in suppressed or policy.kind(strong).household:
            continue
        known = first.get(weak)
        if known is None or (edge.first_seen_ms, strong) < (known.edge.first_seen_ms, known.strong):
            first[weak] = merged_link
    return first


def _claiming(
    merged_links: Sequence[MergedLink],
    policy: IdentityPolicy,
    isolated: dict[Identifier, Reason],
    expired: set[Pair],
    first: dict[Identifier, MergedLink],
) -> list[MergedLink]:
    claiming = []
    for merged_link in merged_links:
        strong, weak = merged_link.strong, merged_link.weak
        if merged_link.edge.ended_ms == FOREVER or isolated.get(strong) in _SILENT or isolated.get(weak) in _SILENT:
            continue
        between = (strong, weak) in expired or Reason.FIREBREAK in {isolated.get(strong), isolated.get(weak)}
        between = between or (policy.kind(weak).exclusive and not merged_link.edge.asserted)
        if not between or first[weak] is merged_link:
            claiming.append(merged_link)
    return claiming


def _rejection(
    merged_link: MergedLink,
    policy: IdentityPolicy,
    isolated: dict[Identifier, Reason],
    expired: set[Pair],
    *,
    shared: bool,
) -> RejectedLink | None:
    edge = merged_link.edge
    if not edge.alive:
        return RejectedLink(merged_link, Reason.UNLINKED if edge.ended_ms == FOREVER else Reason.LOGGED_OUT, "")
    reason = isolated.get(merged_link.weak)
    if reason is None and (merged_link.strong, merged_link.weak) in expired:
        reason = Reason.EXPIRED
    if reason is None and shared and not policy.kind(merged_link.strong).household:
        reason = Reason.SHARED
    if reason is not None:
        return RejectedLink(merged_link, reason, rule_of(merged_link.weak, reason, policy))
    reason_of_stronger = isolated.get(merged_link.strong)
    if reason_of_stronger is not None:
        return RejectedLink(merged_link, reason_of_stronger, rule_of(merged_link.strong, reason_of_stronger, policy))
    return None


def rule_of(ident: Identifier, reason: str, policy: IdentityPolicy) -> str:
    """Returns the rule behind a reason, as readable text."""
    kind = policy.kind(ident)
    if reason in {Reason.FIREBREAK, Reason.EXPIRED}:
        return f"{kind.name}: firebreak above {kind.firebreak_above}"
    if reason == Reason.SHARED:
        return f"{kind.name}: exclusive"
    return f"{kind.name}: household" if reason == Reason.HOUSEHOLD else ""
