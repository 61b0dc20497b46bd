"""A link as facts for people and programs: who, since when, how often, from where, and why it does not link."""

from typing import Any, Final

from pipeline.event.instant import format_instant
from pipeline.event.reason import Reason
from pipeline.identity.decisions import MergedLink
from pipeline.identity.filter_links import RejectedLink

MEANING: Final[dict[str, str]] = {
    Reason.LIMIT: "together the two would hold more identifiers of a type than its limit allows",
    Reason.CAP: "together the two would have more identifiers than one customer may",
    Reason.ISOLATED: "two customers claim it, and its type's policy gives it to neither",
    Reason.FIREBREAK: "too many people share it",
    Reason.EXPIRED: "too old to count since the firebreak was lifted",
    Reason.SUPPRESSED: "a person keeps it from linking to anything",
    Reason.UNLINKED: "a person deleted this link",
    Reason.LOGGED_OUT: "somebody logged out there, and this customer has not been seen there since",
    Reason.HOUSEHOLD: "it groups people into a household and never makes them one",
}
"""What each reason means, to people; the same for every link."""


def link_facts(merged_link: MergedLink, rejection: RejectedLink | None) -> dict[str, Any]:
    """The link's provenance. ``held`` and ``rule`` are empty if it links; times are ISO 8601."""
    edge = merged_link.edge
    return {
        "rejected": "" if rejection is None else str(rejection.reason),
        "rule": "" if rejection is None else rejection.rule,
        "first_seen": format_instant(edge.first_seen_ms) or "",
        "last_seen": format_instant(edge.last_seen_ms) or "",
        "count": edge.count,
        "source": edge.source,
        "event_id": edge.event_id,
        "asserted": edge.asserted,
    }
