"""Links and the paths between two identifiers as JSON values."""

from typing import Any, Final

from pipeline.event.instant import format_instant
from pipeline.event.reason import Reason
from pipeline.identity.decisions import MergedLink
from pipeline.identity.explain import Why
from pipeline.identity.filter_links import RejectedLink
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import Resolution

MEANING: Final[dict[str, str]] = {
    Reason.VETO: "the two customers differ in an attribute in which one customer must agree",
    Reason.LIMIT: "together the two customers would have more identifiers of a type than its limit allows",
    Reason.CAP: "together the two customers would have more identifiers than one customer may have",
    Reason.ISOLATED: "two customers claim it, and its type's policy gives it to neither",
    Reason.FIREBREAK: "too many people share it",
    Reason.EXPIRED: "last seen too long ago to count after the firebreak was lifted",
    Reason.SUPPRESSED: "an operator suppressed the identifier, so it links to nothing",
    Reason.UNLINKED: "an operator deleted this link",
    Reason.LOGGED_OUT: "a customer logged out on the device, and this customer has not been seen on it since",
    Reason.HOUSEHOLD: "it groups customers into a household and never merges them",
}
"""Reason to its explanation, for display; the same for every link."""


def link_facts(merged_link: MergedLink, rejection: RejectedLink | None) -> dict[str, Any]:
    """Returns the link's provenance. ``rejected`` and ``rule`` are empty for an accepted link; times are ISO 8601."""
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


def why_facts(tenant: str, ends: tuple[str, str], answer: Why, resolution: Resolution) -> dict[str, Any]:
    """Returns why two identifiers are one customer or not: the path between them, and the rejected links on it."""
    steps = [
        {"start": step.start, "end": step.end, **link_facts(step.merged_link, step.rejection)} for step in answer.path
    ]
    return {
        "identifiers": list(ends),
        "together": answer.same_customer,
        "profile_ids": [profile_id(tenant, resolution.founder_of.get(end, end)) for end in ends],
        "path": steps,
        "obstacles": [step for step in steps if step["rejected"]],
    }
