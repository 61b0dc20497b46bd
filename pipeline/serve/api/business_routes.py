"""``/v1/leads``, ``/v1/accounts``, ``/v1/households``, ``/v1/attribution``, ``/v1/quarantine`` and ``/v1/overview``."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from pipeline.query.attribution import By
from pipeline.serve.api import forms
from pipeline.serve.api.answer import personal, plain
from pipeline.serve.api.common import Cursor, Limit, answers, caller, services_of
from pipeline.serve.api.problems import ProblemError
from pipeline.serve.api.strict_route import StrictRoute
from pipeline.serve.read.journeys import UnknownNameError
from pipeline.serve.read.leads import LeadFilter
from pipeline.serve.read.pages import Page

router = APIRouter(prefix="/v1", route_class=StrictRoute)
Text = Annotated[str, Query(max_length=200)]
Id = Annotated[str, Path(min_length=1, max_length=300)]


@router.get("/leads", tags=["leads"], responses=answers(Page, "A page, newest decision first."))
async def leads(
    request: Request,
    *,
    profile_id: Annotated[str, Query(max_length=36, description="Leads of this current profile id.")] = "",
    owner: Text = "",
    trigger: Text = "",
    open_only: bool = False,
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Response:
    """Return leads with score, contributions, owner, the reason for the owner, and what each CRM holds."""
    services = services_of(request)
    chosen = LeadFilter(profile_id=profile_id, owner=owner, trigger=trigger, open_only=open_only)
    page = await services.look_up(services.reads.leads.page, caller(request).tenant, chosen, limit=limit, cursor=cursor)
    return personal(request, services, page, sorted({lead["profile_id"] for lead in page.items}))


@router.get("/leads/{action_id}", tags=["leads"], responses=answers(forms.LeadAnswer, "The lead."))
async def lead(request: Request, action_id: Id) -> Response:
    """Return one lead with all its revisions."""
    services = services_of(request)
    found = await services.look_up(services.reads.leads.one, caller(request).tenant, action_id)
    if found is None:
        raise ProblemError(404, "not-found", "no lead has this action id")
    return personal(request, services, found, [found["profile_id"]])


@router.get("/accounts", tags=["accounts"], responses=answers(Page, "A page, by id."))
async def accounts(request: Request, limit: Limit = 50, cursor: Cursor = "") -> Response:
    """Return the accounts with the number of members, when one was last seen, and the highest score of one."""
    services = services_of(request)
    page = await run_in_threadpool(services.reads.accounts.page, caller(request).tenant, limit=limit, cursor=cursor)
    return personal(request, services, page, [])


@router.get("/households", tags=["accounts"], responses=answers(Page, "A page, by shared identifier."))
async def households(request: Request, limit: Limit = 50, cursor: Cursor = "") -> Response:
    """Return what separate customers share, as an account or an address, with those customers."""
    services = services_of(request)
    page = await run_in_threadpool(services.reads.households.page, caller(request).tenant, limit=limit, cursor=cursor)
    return personal(request, services, page, sorted({one for item in page.items for one in item["profile_ids"]}))


@router.get("/accounts/{account_id}", tags=["accounts"], responses=answers(forms.AccountAnswer, "The account."))
async def account(request: Request, account_id: Id) -> Response:
    """Return an account: traits from the group calls of all members, and the members."""
    services = services_of(request)
    found = await run_in_threadpool(services.reads.accounts.one, caller(request).tenant, account_id)
    if found is None:
        raise ProblemError(404, "not-found", "no customer's event names this account")
    return personal(request, services, found, found["profile_ids"])


@router.get("/attribution", tags=["attribution"], responses=answers(forms.ReportAnswer, "The report."))
async def attribution(request: Request, model: Text = "linear", by: By = "campaign", conversion: Text = "") -> Response:
    """Return credit, revenue, cost and cost per acquisition over all profiles. Takes about 50 µs for each profile."""
    services = services_of(request)
    try:
        report = await run_in_threadpool(
            services.reads.attribution.report, caller(request).tenant, model=model, by=by, conversion=conversion
        )
    except UnknownNameError as error:
        raise ProblemError(422, "unknown-name", str(error)) from error
    return plain(report)


@router.get("/quarantine", tags=["operations"], responses=answers(Page, "A page, newest first."))
async def quarantine(request: Request, reason: Text = "", limit: Limit = 50, cursor: Cursor = "") -> Response:
    """Return facts of quarantined records of the whole deployment. Their bytes: `stitchline dlq show`."""
    services = services_of(request)
    page = await services.look_up(services.reads.overview.quarantined, reason=reason, limit=limit, cursor=cursor)
    return personal(request, services, page, [])


@router.get("/overview", tags=["operations"], responses=answers(forms.OverviewAnswer, "Totals and lag."))
async def overview(request: Request) -> Response:
    """Return totals of the tenant, and how far the read model is behind the topics."""
    services = services_of(request)
    reads = services.reads
    totals = await run_in_threadpool(reads.overview.totals, caller(request).tenant)
    progress = await services.look_up(reads.overview.progress)
    age_ms = max(0, reads.context.clock() - progress.written_ms)
    return plain(forms.OverviewAnswer(totals, progress.lag_records, age_ms, progress.lag_records == 0))
