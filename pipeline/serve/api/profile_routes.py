"""``/v1/profiles`` and ``/v1/search``."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from pipeline.serve.api import forms
from pipeline.serve.api.answer import JSON, personal, profile_body, profile_view, record
from pipeline.serve.api.common import Cursor, Limit, Ref, answers, body_schema, caller, current, json_body, services_of
from pipeline.serve.api.problems import ProblemError
from pipeline.serve.api.strict_route import StrictRoute
from pipeline.serve.read.resolve import Found
from pipeline.serve.read.search import By, QueryError
from pipeline.serve.read.timeline import TimelinePage

router = APIRouter(prefix="/v1", tags=["profiles"], route_class=StrictRoute)
Fields = Annotated[str, Query(max_length=500, pattern=r"^([a-z_]+(,[a-z_]+)*)?$", description="Separated by commas.")]


@router.get(
    "/profiles/{ref}", responses={304: {"description": "Not changed."}, **answers(forms.Profile, "The profile.")}
)
async def profile(request: Request, ref: Ref, fields: Fields = "") -> Response:
    """Return the current profile of an identifier or id. A merged id is answered with the profile it was merged into.

    The ETag changes with every update of the profile: send it as If-None-Match to poll.
    """
    found = await current(request, ref)
    headers = {"etag": _etag(request, found, fields), "cache-control": "private, no-cache"}
    if found.requested_id:
        headers["content-location"] = f"/v1/profiles/{found.profile_id}"
    known = request.headers.get("if-none-match", "")
    if headers["etag"] in known or known.strip() == "*":
        return Response(status_code=304, headers=headers)
    body = profile_body(request, found, list(filter(None, fields.split(","))))
    if caller(request).sees_personal_data:
        record(request, services_of(request), [found.profile_id])
    return Response(body, headers=headers, media_type=JSON)


@router.post(
    "/profiles/lookup",
    responses={**answers(forms.LookupAnswer, "One answer for each, in order."), 413: {}, 415: {}},
    openapi_extra=body_schema(forms.LookupRequest),
)
async def lookup(request: Request) -> Response:
    """Return up to 100 profiles by identifiers or ids, all from one moment."""
    batch, services = await json_body(request, forms.LookupRequest), services_of(request)
    tenant = caller(request).tenant
    looked_up, ids = list[dict[str, Any]](), list[str]()
    masks = not caller(request).sees_personal_data
    for text, found in await run_in_threadpool(services.reads.profiles.look_up, tenant, batch.ids):
        view = profile_view(found, batch.fields, masks=masks) if isinstance(found, Found) else None
        problem = "" if view else ("not-found" if found is None else "not-an-identifier")
        looked_up.append({"requested": text, "profile": view, "problem": problem})
        ids += [found.profile_id] if isinstance(found, Found) else []
    return personal(request, services, {"profiles": looked_up}, ids)


@router.get("/profiles/{ref}/detail", responses=answers(forms.DetailAnswer, "The profile."))
async def detail(request: Request, ref: Ref) -> Response:
    """Return everything known of a profile as of now."""
    found, services = await current(request, ref), services_of(request)
    view = await run_in_threadpool(services.reads.profiles.detail, found.tenant, found.profile_id)
    return personal(request, services, _there(view), [found.profile_id])


@router.get("/profiles/{ref}/timeline", responses=answers(TimelinePage, "A page, newest first."))
async def timeline(request: Request, ref: Ref, limit: Limit = 20, cursor: Cursor = "") -> Response:
    """Return touches and CRM activities, newest first."""
    found, services = await current(request, ref), services_of(request)
    page = await services.look_up(
        services.reads.timeline.page, found.tenant, found.profile_id, limit=limit, cursor=cursor
    )
    return personal(request, services, _there(page), [found.profile_id])


@router.get("/profiles/{ref}/scores", responses=answers(forms.ScoreAnswer, "The scores."))
async def scores(request: Request, ref: Ref) -> Response:
    """Return every score as of now with what each rule contributes."""
    found, services = await current(request, ref), services_of(request)
    view = await services.look_up(services.reads.profiles.scores, found.tenant, found.profile_id)
    return personal(request, services, _there(view), [found.profile_id])


@router.get("/profiles/{ref}/segments", responses=answers(forms.SegmentsOfProfile, "The segments."))
async def segments(request: Request, ref: Ref) -> Response:
    """Return the segments of a profile, and when it entered and left them."""
    found, services = await current(request, ref), services_of(request)
    history = await services.look_up(services.reads.segments.history, found.tenant, found.profile_id)
    current_segments = profile_view(found, ["segments"], masks=False)["segments"]
    view = {"profile_id": found.profile_id, "segments": current_segments, "history": history}
    return personal(request, services, view, [found.profile_id])


@router.get("/search", responses=answers(forms.SearchAnswer, "The first that match, by profile id."))
async def search(
    request: Request,
    q: Annotated[str, Query(min_length=2, max_length=200, description="Address, number, or beginnings of names.")],
    by: Annotated[By | None, Query(description="What q is; by default it is recognised.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Find profiles by e-mail address, telephone number or name. Needs the scope read:pii."""
    if not caller(request).sees_personal_data:
        raise ProblemError(403, "missing-scope", "searching for people needs a key with the scope read:pii")
    services = services_of(request)
    try:
        found = await services.look_up(services.reads.search.find, caller(request).tenant, q, by=by, limit=limit)
    except QueryError as error:
        raise ProblemError(422, "query-too-short", str(error)) from error
    views = [profile_view(one, (), masks=False) for one in found]
    return personal(request, services, {"profiles": views}, [one.profile_id for one in found])


def _etag(request: Request, found: Found, fields: str) -> str:
    variant = "p" if caller(request).sees_personal_data else "m"
    return f'"{found.profile_id}-{found.version}-{variant}{fields}"'


def _there(view: Any) -> Any:
    if view is None:  # its ledgers are on their way to another profile
        raise ProblemError(404, "not-found", "nothing is known of this profile yet")
    return view
