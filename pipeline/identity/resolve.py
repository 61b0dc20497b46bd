"""Identity as a pure function: the set of links, the rules and what people decided, to groups and rejected links."""

from collections.abc import Iterable

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.decisions import Decisions, MergedLink, merged_links_of
from pipeline.identity.filter_links import RejectedLink, filter_links
from pipeline.identity.messages import Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.resolve_groups import resolve_groups


class Resolution(msgspec.Struct):
    """The answer for every identifier that any link or decision names."""

    founder_of: dict[Identifier, Identifier]
    """The identifier whose profile each belongs to."""
    since_ms: dict[Identifier, int]
    """When each founder of more than itself was first seen."""
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


def resolve(links: Iterable[Link], policy: IdentityPolicy, decisions: Decisions | None = None) -> Resolution:
    """Who is who. The order of ``links``, repetitions and how they were split over time make no difference."""
    decisions = decisions or Decisions()
    merged_links = merged_links_of(links, policy, decisions)
    filtered = filter_links(merged_links, policy, decisions.suppressed, decisions.trusted)
    resolved = resolve_groups(filtered.open, policy)
    founder_of = {
        end: end for merged_link in merged_links for end in (merged_link.strong, merged_link.weak)
    } | resolved.founder_of
    accepted = [
        merged_link for merged_link in filtered.open if founder_of[merged_link.strong] == founder_of[merged_link.weak]
    ]
    return Resolution(founder_of, resolved.since_ms, accepted, filtered.rejected + resolved.rejected, filtered.isolated)
