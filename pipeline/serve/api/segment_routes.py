"""``/v1/segments``: sizes, members, exports, and counts of new conditions."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pipeline.condition.errors import ConditionError
from pipeline.serve.access.masking import masked
from pipeline.serve.api import forms
from pipeline.serve.api.answer import personal, plain, record
from pipeline.serve.api.common import REFUSALS, Limit, answers, body_schema, caller, json_body, services_of
from pipeline.serve.api.problems import ProblemError
from pipeline.serve.api.strict_route import StrictRoute
from pipeline.serve.read.pages import Page

router = APIRouter(prefix="/v1/segments", tags=["segments"], route_class=StrictRoute)
Name = Annotated[str, Path(min_length=1, max_length=200, description="Name of a segment.")]
After = Annotated[str, Query(max_length=36, description="`next` of the page before.")]
NDJSON = "application/x-ndjson"
EXPORT_PAGE = 500


@router.get("", responses=answers(forms.SegmentList, "The segments, by name."))
async def segments(request: Request) -> Response:
    """Return every segment of the rules with its number of members."""
    services = services_of(request)
    known = await run_in_threadpool(services.reads.segments.all, caller(request).tenant)
    return plain({"segments": known})


@router.post("/preview", responses={**answers(forms.PreviewAnswer, "The count, or the mistake."), 413: {}, 415: {}},
             openapi_extra=body_schema(forms.PreviewRequest))  # fmt: skip
async def preview(request: Request) -> Response:
    """Count the customers for which a condition holds. An estimate from a random sample if that takes over a second."""
    condition, services = await json_body(request, forms.PreviewRequest), services_of(request)
    try:
        counted = await run_in_threadpool(services.reads.preview.count, caller(request).tenant, condition.when)
    except ConditionError as error:
        return plain(forms.PreviewAnswer(mistake=forms.Mistake(error.message, error.position, error.instead)))
    return plain(forms.PreviewAnswer(preview=counted))


@router.get("/{name}/members", responses=answers(Page, "A page of profiles, by profile id."))
async def members(request: Request, name: Name, limit: Limit = 100, cursor: After = "") -> Response:
    """Return the members of a segment."""
    services, tenant = services_of(request), caller(request).tenant
    await _known(request, name)
    page = await run_in_threadpool(services.reads.segments.members, tenant, name, limit=limit, cursor=cursor)
    return personal(request, services, page, [member["profile_id"] for member in page.items])


@router.get(
    "/{name}/export",
    responses={200: {"description": "One profile on each line.", "content": {NDJSON: {"schema": {}}}}, **REFUSALS},
    response_class=StreamingResponse,
)
async def export(request: Request, name: Name) -> Response:
    """Stream all members of a segment, a profile on each line."""
    await _known(request, name)
    return StreamingResponse(_lines(request, name), media_type=NDJSON)


def _lines(request: Request, name: str) -> Iterator[bytes]:
    services, reader, cursor = services_of(request), caller(request), ""
    while True:
        page = services.reads.segments.members(reader.tenant, name, limit=EXPORT_PAGE, cursor=cursor)
        items: list[dict[str, Any]] = page.items if reader.sees_personal_data else [masked(item) for item in page.items]
        if reader.sees_personal_data and items:
            record(request, services, [item["profile_id"] for item in items])
        yield b"".join(msgspec.json.encode(item) + b"\n" for item in items)
        if not page.next:
            return
        cursor = page.next


async def _known(request: Request, name: str) -> None:
    """Raises the problem of a segment that the rules do not declare and that has no member."""
    services = services_of(request)
    if not await services.look_up(services.reads.segments.is_known, caller(request).tenant, name):
        raise ProblemError(404, "not-found", "the rules declare no such segment")
