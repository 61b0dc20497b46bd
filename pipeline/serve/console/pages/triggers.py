"""Triggers: what they wait for, and for how many stored customers they would fire now."""

from starlette.responses import Response

from pipeline.serve.console.guard import Visit


def triggers(visit: Visit) -> Response:
    """Returns the triggers of the rules in force."""
    return visit.page("triggers.html", triggers=visit.console.data.triggers())


def dry_run(visit: Visit) -> Response:
    """Returns the outcome of evaluating every trigger on every stored customer. Writes nothing."""
    data, tenant = visit.console.data, visit.user.tenant
    outcome = data.dry_run(tenant)
    if visit.sees_personal:
        data.record_read(tenant, visit.user.name, "samples of a dry run", "")
    return visit.page("trigger_dry_run.html", outcome=outcome, triggers=data.triggers())
