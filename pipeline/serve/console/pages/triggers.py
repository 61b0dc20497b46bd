"""Triggers: what they wait for, and for how many stored customers they would fire now."""

from starlette.responses import Response

from pipeline.serve.console.guard import Visit


def triggers(visit: Visit) -> Response:
    """Returns the triggers of the rules in force."""
    return visit.page("triggers.html", triggers=visit.console.data.triggers.all())


def dry_run(visit: Visit) -> Response:
    """Returns the outcome of evaluating every trigger on every stored customer. Writes nothing."""
    data, tenant = visit.console.data, visit.user.tenant
    outcome, total = data.triggers.dry_run(tenant)
    if visit.sees_personal:
        shown = [action["profile_id"] for tally in outcome.tallies.values() for action in tally.sample]
        data.audit.record(tenant, visit.user.name, "dry run", shown)
    return visit.page("trigger_dry_run.html", outcome=outcome, total=total, triggers=data.triggers.all())
