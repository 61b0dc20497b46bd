"""The rules in force, and what proposed ones would change for the stored customers."""

from difflib import unified_diff
from typing import Final

from starlette.responses import Response

from pipeline.serve.console.guard import NotFoundError, Visit

PREFIX: Final = "text:"
CONTEXT_LINES: Final = 3


def rules(visit: Visit) -> Response:
    """Returns every rules file with its text."""
    in_force = visit.console.data.rules.in_force(visit.user.tenant)
    shown = visit.query("file", next(iter(in_force.texts)))
    if shown not in in_force.texts:
        message = f"There is no rules file {shown}."
        raise NotFoundError(message)
    return visit.page("rules.html", rules=in_force, shown=shown, text=in_force.texts[shown])


def compare(visit: Visit) -> Response:
    """Returns the differences between the rules in force and those with one file replaced by the sent text."""
    in_force = visit.console.data.rules.in_force(visit.user.tenant)
    name, text = visit.form.get("file", ""), visit.form.get("text", "").replace("\r\n", "\n")
    if name not in in_force.texts:
        message = f"There is no rules file {name}."
        raise NotFoundError(message)
    comparison = visit.console.data.rules.compare(visit.user.tenant, {name: text})
    before, after = in_force.texts[name].splitlines(), text.splitlines()
    lines = list(unified_diff(before, after, "in force", "proposed", lineterm="", n=CONTEXT_LINES))[2:]
    return visit.page("rules_compared.html", comparison=comparison, name=name, lines=lines, text=text)
