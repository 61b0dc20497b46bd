"""Customers: search, one customer's page, the timeline by channel, the identity graph."""

from typing import Any, Final
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from pipeline.query.naming import NotAnIdentifierError
from pipeline.serve.access.masking import masked
from pipeline.serve.console.data.lines import name_of
from pipeline.serve.console.graph import drawn
from pipeline.serve.console.guard import NotFoundError, Visit
from pipeline.serve.console.views import Customer

RESULTS: Final = 50
CHANNELS: Final = ("web", "email", "app", "pos", "ads", "crm")


def customers(visit: Visit) -> Response:
    """Returns the customers that a text finds, or the hottest. An identifier or an id leads to its customer."""
    text, data, tenant = visit.query("q").strip(), visit.console.data, visit.user.tenant
    if text and (found := _named(visit, text)):
        return RedirectResponse(f"/customers/{found}", 303)
    if text and not visit.sees_personal:
        return visit.page("customers.html", q=text, lines=[], needs_personal=True)
    lines = data.customers.search(tenant, text, RESULTS) if text else data.overview.hottest(tenant, RESULTS)
    if visit.sees_personal:
        data.audit.record(tenant, visit.user.name, "search", [line.profile_id for line in lines])
    return visit.page("customers.html", q=text, lines=lines, needs_personal=False)


def customer(visit: Visit) -> Response:
    """Returns a customer's page. An id that was merged leads to the survivor, with a remark."""
    found = _customer(visit)
    if found.requested_id:
        return RedirectResponse(f"/customers/{found.view['profile_id']}?merged={found.requested_id}", 303)
    view = found.view
    traits = {name: trait["value"] for name, trait in view["traits"].items()}
    return visit.page(
        "customer.html", view=view, customer=found, merged=visit.query("merged"), most=_most_points(view),
        name=name_of(traits) if visit.sees_personal else "", model=_model(visit, view), **_timeline(view, ""),
    )  # fmt: skip


def timeline(visit: Visit) -> Response:
    """Returns the part of a customer's page with the timeline of one channel."""
    view = _customer(visit).view
    return visit.page("customer_timeline.html", view=view, **_timeline(view, visit.query("channel")))


def graph(visit: Visit) -> Response:
    """Returns the page with the identity graph of a customer, whose neighbours are links."""
    data, tenant = visit.console.data, visit.user.tenant
    profile_id = visit.path("profile_id")
    placed = data.customers.graph(tenant, profile_id)
    if placed is None:
        message = "Nothing was ever linked to this customer: it is one identifier."
        raise NotFoundError(message)
    if visit.sees_personal:
        data.audit.record(tenant, visit.user.name, "identity graph", [profile_id])
    picture = drawn(placed, masked=not visit.sees_personal)
    return visit.page("customer_graph.html", picture=picture, profile_id=placed.graph.graph["profile_id"])


def _customer(visit: Visit) -> Customer:
    """Returns the customer of the path, masked as the role needs it; the read is recorded if it is not."""
    data, tenant, profile_id = visit.console.data, visit.user.tenant, visit.path("profile_id")
    found = data.customers.one(tenant, profile_id)
    if found is None:
        message = f"There is no customer {profile_id}. It may not have been read yet; see the overview."
        raise NotFoundError(message)
    if visit.sees_personal:
        data.audit.record(tenant, visit.user.name, "customer", [found.view["profile_id"]])
        return found
    return found._replace(
        view=masked(found.view),
        changes=masked(found.changes),
        leads=[lead._replace(action=masked(lead.action)) for lead in found.leads],
    )


def _named(visit: Visit, text: str) -> str | None:
    """Returns the profile that a text names exactly, as ``type:value`` or as an id."""
    try:
        found = visit.console.data.customers.find(visit.user.tenant, text)
    except NotAnIdentifierError:
        return None
    return quote(found) if found else None


def _timeline(view: dict[str, Any], channel: str) -> dict[str, Any]:
    """Returns the entries of a channel, or all, newest first, and the channels that there are."""
    present = {entry["channel"] for entry in view["timeline"]}
    entries = [entry for entry in view["timeline"] if channel in {"", entry["channel"]}]
    return {
        "entries": entries,
        "channel": channel,
        "channels": [name for name in CHANNELS if name in present],
    }


def _most_points(view: dict[str, Any]) -> float:
    """Returns the largest contribution, which gets the longest bar."""
    return max((abs(part["points"]) for score in view["scores"] for part in score["contributions"]), default=0.0)


def _model(visit: Visit, view: dict[str, Any]) -> str:
    """Returns the attribution model that the page shows."""
    models = {name for conversion in view["attribution"] for touch in conversion["journey"] for name in touch["credit"]}
    wanted = visit.query("model", "position")
    return wanted if wanted in models else min(models, default="")
