"""Leads: those on their way to the CRM, and one with the reasons for its score, its owner and its delivery."""

from typing import Final

import msgspec
from starlette.responses import Response

from pipeline.query.lead import display_name, reach
from pipeline.serve.access.masking import masked
from pipeline.serve.console.guard import NotFoundError, Visit
from pipeline.serve.console.views import Lead
from pipeline.serve.read.leads import LEAD, LeadFilter

PAGE: Final = 50


def leads(visit: Visit) -> Response:
    """Returns the newest leads, all or the open ones."""
    kind = visit.query("kind") if visit.query("kind") == LEAD else ""
    data, tenant = visit.console.data, visit.user.tenant
    found = data.leads.page(tenant, LeadFilter(open_only=kind == LEAD), visit.query("after"), PAGE)
    if visit.sees_personal:
        data.audit.record(tenant, visit.user.name, "leads", [lead.action["profile_id"] for lead in found.items])
    shown = [_shown(visit, lead) for lead in found.items]
    return visit.page(
        "leads.html", leads=shown, next=found.next, kind=kind, name_of=display_name, reach_of=reach, state_of=state_of
    )


def lead(visit: Visit) -> Response:
    """Returns one lead."""
    data, tenant = visit.console.data, visit.user.tenant
    found = data.leads.one(tenant, visit.path("action_id"))
    if found is None:
        message = "There is no such lead."
        raise NotFoundError(message)
    if visit.sees_personal:
        data.audit.record(tenant, visit.user.name, "lead", [found.action["profile_id"]])
    action = _shown(visit, found).action
    most = max((abs(part["points"]) for part in action["contributions"]), default=0.0)
    return visit.page(
        "lead.html", lead=found, action=action, most=most, name=display_name(action), reach=reach(action),
        consent=msgspec.json.decode(action["consent"] or "{}"), state=state_of(found),
    )  # fmt: skip


def state_of(lead: Lead) -> tuple[str, str]:
    """Returns the state of a lead's delivery and the colour it is shown in."""
    if not lead.deliveries:
        return "not delivered yet", "warn"
    if any(row["revision"] < lead.action["revision"] for row in lead.deliveries):
        return "change on its way", "warn"
    return "delivered", "good"


def _shown(visit: Visit, lead: Lead) -> Lead:
    return lead if visit.sees_personal else lead._replace(action=masked(lead.action))
