"""Identity as a pure function: the set of links, the rules and what people decided, to groups and rejected links."""

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


class Resolution(msgspec.Struct):
    """The answer for every identifier that any link or decision names."""

    founder_of: dict[Identifier, Identifier]
    """What the profile of each is named after: an identifier, or one set apart (:mod:`~pipeline.identity.claims`)."""
    accepted: list[MergedLink]
    rejected: list[RejectedLink]
    isolated: dict[Identifier, Reason]
    """Identifiers that link to nothing, and why."""

    def groups(self) -> dict[Identifier, list[Identifier]]:
        """Members of every group by founder, sorted."""
        groups: dict[Identifier, list[Identifier]] = {}
        for ident, founder in sorted(self.founder_of.items()):
            groups.setdefault(founder, []).append(ident)
        return groups


def named(
    group_of: Mapping[Identifier, Identifier], claims: Claims, policy: IdentityPolicy
) -> dict[Identifier, Identifier]:
    """The founder of every identifier's group; groups are given by any key."""
    groups: dict[Identifier, list[Identifier]] = {}
    for ident, key in group_of.items():
        groups.setdefault(key, []).append(ident)
    founder_of = founders(groups, claims, policy)
    return {ident: founder_of[key] for ident, key in group_of.items()}


def resolve(links: Iterable[Link], policy: IdentityPolicy, decisions: Decisions | None = None) -> Resolution:
    """Who is who. The order of ``links``, repetitions and how they were split over time make no difference."""
    decisions = decisions or Decisions()
    merged_links = merged_links_of(links, policy, decisions)
    filtered = filter_links(merged_links, policy, decisions.suppressed, decisions.trusted)
    resolved = resolve_groups(filtered.open, policy)
    group_of = {
        end: end for merged_link in merged_links for end in (merged_link.strong, merged_link.weak)
    } | resolved.group_of
    founder_of = named(group_of, claims_of(filtered.claiming, policy, decisions.first_logout_ms), policy)
    accepted = [
        merged_link for merged_link in filtered.open if founder_of[merged_link.strong] == founder_of[merged_link.weak]
    ]
    return Resolution(founder_of, accepted, filtered.rejected + resolved.rejected, filtered.isolated)
