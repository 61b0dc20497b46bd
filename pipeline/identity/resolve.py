"""Identity as a pure function: maps links, rules and people's decisions to groups and rejected links."""

from collections.abc import Iterable, Mapping

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.claims import Claims, claims_of, founders
from pipeline.identity.decisions import Decisions, MergedLink, merged_links_of
from pipeline.identity.filter_links import RejectedLink, filter_links
from pipeline.identity.messages import Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.resolve_groups import resolve_groups
from pipeline.identity.veto import without_facts


class Resolution(msgspec.Struct):
    """The result for every identifier that a link or decision names."""

    founder_of: dict[Identifier, Identifier]
    """The founder of each identifier's profile: an identifier, possibly prefixed (:mod:`~pipeline.identity.claims`)."""
    accepted: list[MergedLink]
    rejected: list[RejectedLink]
    isolated: dict[Identifier, Reason]
    """Isolated identifiers, with the reason."""

    def groups(self) -> dict[Identifier, list[Identifier]]:
        """Returns the members of every group by founder, sorted."""
        groups: dict[Identifier, list[Identifier]] = {}
        for ident, founder in sorted(self.founder_of.items()):
            groups.setdefault(founder, []).append(ident)
        return groups


def named(
    group_of: Mapping[Identifier, Identifier], claims: Claims, policy: IdentityPolicy
) -> dict[Identifier, Identifier]:
    """Returns the founder of every identifier's group. ``group_of`` may use any keys for groups."""
    groups: dict[Identifier, list[Identifier]] = {}
    for ident, key in group_of.items():
        groups.setdefault(key, []).append(ident)
    founder_of = founders(groups, claims, policy)
    return {ident: founder_of[key] for ident, key in group_of.items()}


def resolve(links: Iterable[Link], policy: IdentityPolicy, decisions: Decisions | None = None) -> Resolution:
    """Resolves links into customers. Order, repetition and batching of ``links`` make no difference."""
    decisions = decisions or Decisions()
    merged_links, facts = without_facts(merged_links_of(links, policy, decisions), policy)
    filtered = filter_links(merged_links, policy, decisions.suppressed, decisions.trusted)
    filtered.facts = facts
    resolved = resolve_groups(filtered, policy)
    group_of = {
        end: end for merged_link in merged_links for end in (merged_link.strong, merged_link.weak)
    } | resolved.group_of
    founder_of = named(group_of, claims_of(filtered, policy, decisions.first_logout_ms), policy)
    accepted = [
        merged_link for merged_link in filtered.open if founder_of[merged_link.strong] == founder_of[merged_link.weak]
    ]
    return Resolution(founder_of, accepted, filtered.rejected + resolved.rejected, filtered.isolated)
