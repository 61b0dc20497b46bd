"""What operators look at: sources, the quarantine with replay, and the record of reads of personal data."""

from typing import Final

from starlette.responses import RedirectResponse, Response

from pipeline.query.fates import Fate
from pipeline.serve.console.guard import NotFoundError, Visit
from pipeline.serve.signin.roles import Right

NEWEST: Final = 100
ARRIVALS: Final = 40
ACTIONS: Final = "actions"


def sources(visit: Visit) -> Response:
    """Returns the declared sources, and the events that come in, each with what became of it."""
    declared = visit.console.data.rules.sources(visit.user.tenant)
    return visit.page("sources.html", sources=declared, fates=_fates(visit))


def arrivals(visit: Visit) -> Response:
    """Returns the part with the events."""
    return visit.page("sources_live.html", fates=_fates(visit))


def _fates(visit: Visit) -> list[Fate]:
    """Returns the newest events. Neither ids nor details are shown: both may hold personal data."""
    with_unknown = visit.user.may(Right.OPERATE)
    return visit.console.data.arrivals.newest(visit.user.tenant, ARRIVALS, with_unknown=with_unknown)


def quarantine(visit: Visit) -> Response:
    """Returns counts by reason and the newest quarantined records, of events or of CRM actions."""
    actions, reason = visit.query("of") == ACTIONS, visit.query("reason")
    listing = visit.console.data.quarantine.listing(reason, NEWEST, actions=actions)
    return visit.page(
        "quarantine.html", listing=listing, actions=actions, reason=reason, replayed=visit.query("replayed"),
        shows_detail=visit.sees_personal,
    )  # fmt: skip


def quarantined(visit: Visit) -> Response:
    """Returns one record. Its content is shown to roles that may see personal data."""
    data, actions = visit.console.data, visit.query("of") == ACTIONS
    record = data.quarantine.record(visit.path("place"), actions=actions)
    if record is None:
        message = f"There is no record at {visit.path('place')}, or no longer: what is too old is deleted."
        raise NotFoundError(message)
    if visit.sees_personal:
        data.audit.record(visit.user.tenant, visit.user.name, f"quarantined record {record.entry.place}", [])
    return visit.page("quarantined.html", record=record, actions=actions)


def replay(visit: Visit) -> Response:
    """Sends quarantined records back to their topics, each once, or counts them."""
    actions, reason = visit.form.get("of") == ACTIONS, visit.form.get("reason", "")
    dry_run = visit.form.get("dry_run") == "yes"
    counts = visit.console.data.quarantine.replay(reason, actions=actions, dry_run=dry_run)
    if dry_run:
        return visit.page("replay.html", counts=counts, actions=actions, reason=reason)
    of = f"&of={ACTIONS}" if actions else ""
    return RedirectResponse(f"/quarantine?replayed={sum(counts.values())}{of}", 303)


def audit(visit: Visit) -> Response:
    """Returns the newest reads of personal data."""
    reads = visit.console.data.audit.newest(visit.user.tenant, NEWEST)
    return visit.page("audit.html", reads=reads)
