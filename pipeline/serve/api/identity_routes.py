"""Identity of a profile, and ``/v1/identity``."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from pipeline.query.naming import NotAnIdentifierError
from pipeline.serve.api import forms
from pipeline.serve.api.answer import personal, record
from pipeline.serve.api.common import Cursor, Limit, Ref, answers, caller, current, services_of
from pipeline.serve.api.problems import ProblemError
from pipeline.serve.api.strict_route import StrictRoute
from pipeline.serve.read.pages import Page

if TYPE_CHECKING:
    from pipeline.query.graph import Graph

router = APIRouter(prefix="/v1", tags=["identity"], route_class=StrictRoute)
End = Annotated[str, Query(min_length=1, max_length=500, description="An identifier, type:value.")]


@router.get("/profiles/{ref}/identity", responses=answers(forms.IdentityAnswer, "Identifiers and links."))
async def identity(request: Request, ref: Ref) -> Response:
    """Return the identifiers of a profile, the links between them, and the rejected links with their reasons."""
    found, services = await current(request, ref), services_of(request)
    view = await run_in_threadpool(services.reads.identity.links, found.tenant, found.profile_id)
    return personal(request, services, view or _alone(found.profile_id), [found.profile_id])


@router.get(
    "/profiles/{ref}/graph",
    responses=answers(forms.GraphAnswer, "The graph; image/svg+xml with format=svg."),
)
async def graph(request: Request, ref: Ref, format: Literal["json", "svg"] = "json") -> Response:  # noqa: A002
    """Return the identity graph of a profile. The picture needs the scope read:pii."""
    found, services = await current(request, ref), services_of(request)
    if format == "svg" and not caller(request).sees_personal_data:
        raise ProblemError(403, "missing-scope", "a picture cannot be masked: it needs a key with the scope read:pii")
    drawn = await run_in_threadpool(services.reads.identity.graph, found.tenant, found.profile_id)
    if format == "svg" and drawn is not None:
        record(request, services, [found.profile_id])
        svg = await run_in_threadpool(services.reads.identity.drawn, drawn)
        return Response(svg, media_type="image/svg+xml")
    view = _graph_view(drawn) if drawn is not None else {"nodes": [], "links": []}
    return personal(request, services, {"profile_id": found.profile_id, **view}, [found.profile_id])


@router.get("/profiles/{ref}/households", responses=answers(forms.HouseholdAnswer, "The households."))
async def households(request: Request, ref: Ref) -> Response:
    """Return the households that a profile belongs to, with their members."""
    found, services = await current(request, ref), services_of(request)
    shared = await run_in_threadpool(services.reads.identity.households, found.tenant, found.profile_id)
    ids = [profile_id for household in shared or [] for profile_id in household["profile_ids"]]
    return personal(request, services, {"households": shared or []}, [found.profile_id, *ids])


@router.get("/profiles/{ref}/identity-changes", responses=answers(Page, "A page, newest first."))
async def changes_of(request: Request, ref: Ref, limit: Limit = 50, cursor: Cursor = "") -> Response:
    """Return the merges, splits and decisions that concern a profile."""
    found = await current(request, ref)
    return await _changes(request, found.profile_id, limit, cursor)


@router.get("/identity/changes", responses=answers(Page, "A page, newest first."))
async def changes(request: Request, limit: Limit = 50, cursor: Cursor = "") -> Response:
    """Return the public log of identity."""
    return await _changes(request, "", limit, cursor)


@router.get("/identity/why", responses=answers(forms.WhyAnswer, "The path between them, and the obstacles on it."))
async def why(request: Request, a: End, b: End) -> Response:
    """Explain why two identifiers are one customer or not."""
    services = services_of(request)
    try:
        answer = await run_in_threadpool(services.reads.identity.why, caller(request).tenant, a, b)
    except NotAnIdentifierError as error:
        raise ProblemError(422, "not-an-identifier", str(error)) from error
    return personal(request, services, answer, answer["profile_ids"])


async def _changes(request: Request, profile_id: str, limit: int, cursor: str) -> Response:
    services = services_of(request)
    page = await services.look_up(
        services.reads.identity.changes, caller(request).tenant, profile_id=profile_id, limit=limit, cursor=cursor
    )
    return personal(request, services, page, sorted({change["profile_id"] for change in page.items}))


def _alone(profile_id: str) -> dict[str, Any]:
    """The identity of a profile whose only identifier was never linked."""
    lists: dict[str, Any] = {name: [] for name in ("identifiers", "links", "rejected")}
    return {"profile_id": profile_id, "founder": "", **lists, "complete": True}


def _graph_view(graph: "Graph") -> dict[str, Any]:
    nodes = [{"identifier": ident, **facts} for ident, facts in graph.nodes(data=True)]
    links = [{"start": start, "end": end, **facts} for start, end, facts in graph.edges(data=True)]
    return {"nodes": nodes, "links": links}
