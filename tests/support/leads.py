"""Leads as PROFILE sends them, and a router over tables in memory."""

from collections.abc import Sequence
from typing import Any

import msgspec

from pipeline.event.instant import parse_instant
from pipeline.profile.records import CrmAction, Lead
from pipeline.route.router import Routed, Router
from pipeline.route.rules import RoutingRules
from pipeline.route.state import RouteTables
from pipeline.testing.table import MemoryTable

STRONG = ("user_id", "email")
DAY = "2026-11-22"


def moment(text: str = DAY) -> int:
    """The milliseconds of an ISO date or date and time."""
    result = parse_instant(text)
    assert result is not None
    return result


def lead(
    number: int,
    *identifiers: str,
    at_ms: int = 0,
    traits: dict[str, Any] | None = None,
    tenant: str = "default",
    channel: str = "",
    campaign: str = "",
    segments: Sequence[str] = (),
    **changed: Any,
) -> Lead:
    """Returns a lead of a new customer, unless identifiers or the profile id name another."""
    action = CrmAction(
        action_id=f"lead-{number}", tenant=tenant, profile_id=f"profile-{number}", trigger="hot_lead", episode=1,
        timestamp_ms=at_ms or moment(), score=72.5, threshold=70.0, consent="{}",
        identifiers=list(identifiers or [f"user_id:{number}"]),
    )  # fmt: skip
    return Lead(tenant, msgspec.structs.replace(action, **changed), traits or {}, channel, campaign, list(segments))


def no_rows() -> RouteTables:
    """A tenant that has never had a lead."""
    return RouteTables(MemoryTable(), MemoryTable(), MemoryTable(), MemoryTable())


class Desk:
    """A router that receives one lead after the other."""

    def __init__(self, rules: RoutingRules, tables: RouteTables | None = None) -> None:
        self.tables = tables or no_rows()
        self.router = Router(rules, STRONG, self.tables)
        self.last: Routed

    def give(self, requested: Lead) -> str:
        """Routes the lead. Returns its owner."""
        (self.last,) = self.router.on_leads([requested], 0)
        return self.last.action.owner

    def is_silent_on(self, requested: Lead) -> bool:
        """Returns whether routing the lead publishes nothing."""
        return not self.router.on_leads([requested], 0)

    @property
    def reason(self) -> str:
        """Returns the reason for the last owner."""
        return self.last.action.owner_reason

    @property
    def decided_by(self) -> tuple[str, str]:
        """The step, and the route if there was one."""
        return self.last.step, self.last.route
