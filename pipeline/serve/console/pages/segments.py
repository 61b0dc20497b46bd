"""Segments with their counts and members, and the condition editor, which counts while a condition is typed."""

from typing import Final, NamedTuple

from starlette.responses import Response

from pipeline.condition.errors import ConditionError
from pipeline.serve.console.guard import NotFoundError, Visit

PAGE: Final = 50
MAX_CONDITION_CHARS: Final = 4000


class Marked(NamedTuple):
    """A faulty condition, divided at the mistake."""

    before: str
    at: str
    after: str
    message: str
    instead: str


def segments(visit: Visit) -> Response:
    """Returns all segments and, for a role that may try conditions, the editor."""
    data, tenant = visit.console.data, visit.user.tenant
    profiles, lines = data.overview.totals(tenant).customers, data.segments.all(tenant)
    return visit.page("segments.html", profiles=profiles, segments=lines, condition=visit.query("when"))


def segment(visit: Visit) -> Response:
    """Returns a segment with its members."""
    data, tenant, name = visit.console.data, visit.user.tenant, visit.path("name")
    profiles, lines = data.overview.totals(tenant).customers, data.segments.all(tenant)
    line = next((line for line in lines if line.name == name), None)
    if line is None:
        message = f"There is no segment {name} in the rules in force."
        raise NotFoundError(message)
    members = data.segments.members(tenant, name, visit.query("after"), PAGE)
    if visit.sees_personal:
        data.audit.record(tenant, visit.user.name, f"segment {name}", [line.profile_id for line in members.items])
    return visit.page("segment.html", segment=line, profiles=profiles, members=members.items, next=members.next)


def preview(visit: Visit) -> Response:
    """Returns the number of customers that meet a condition, or where its mistake is."""
    condition = visit.form.get("when", "")
    if not condition.strip():
        return visit.page("segment_preview.html", preview=None, mistake=None)
    if len(condition) > MAX_CONDITION_CHARS:
        mistake = Marked("", "", "", f"a condition has at most {MAX_CONDITION_CHARS} characters", "")
        return visit.page("segment_preview.html", preview=None, mistake=mistake)
    data, tenant = visit.console.data, visit.user.tenant
    try:
        found = data.segments.preview(tenant, condition)
    except ConditionError as error:
        return visit.page("segment_preview.html", preview=None, mistake=marked(condition, error))
    if visit.sees_personal:
        data.audit.record(tenant, visit.user.name, "condition", [line.profile_id for line in found.sample])
    return visit.page("segment_preview.html", preview=found, mistake=None)


def marked(condition: str, error: ConditionError) -> Marked:
    """Returns the condition with the mistaken character apart; with a blank one if the condition ends too early."""
    at = min(error.position, len(condition))
    end = at + 1
    while end < len(condition) and (condition[end].isalnum() or condition[end] in "._"):
        end += 1
    return Marked(condition[:at], condition[at:end] or " ", condition[end:], error.message, error.instead)
