"""``/v1/privacy``: what is held about a person, erasures, refusals, and how far they have come.

Identifiers are in bodies, so that no log of paths holds one. These routes use Kafka; the others read the database.
"""

import sys
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import msgspec
from confluent_kafka import KafkaException
from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from pipeline.control.send_command import DECISION
from pipeline.errors import OperatorError
from pipeline.obs.log import logger
from pipeline.privacy.person import Person
from pipeline.privacy.progress import RequestProgress, UnknownRequestError
from pipeline.privacy.requests import BusyError, RightKind
from pipeline.query.naming import NotAnIdentifierError
from pipeline.serve.access.keys import READ_PII, WRITE
from pipeline.serve.api import privacy_forms as forms
from pipeline.serve.api.answer import JSON, plain, record
from pipeline.serve.api.common import REFUSALS, Cursor, Limit, answers, body_schema, caller, json_body, services_of
from pipeline.serve.api.problems import ProblemError
from pipeline.serve.api.strict_route import StrictRoute
from pipeline.serve.read.pages import Page, cursor_of, numbers_in

router = APIRouter(prefix="/v1/privacy", tags=["privacy"], route_class=StrictRoute)
log = logger(__name__)
Result = TypeVar("Result")

RETRY: Final = {"retry-after": "5"}
SENDING: Final[dict[str, Any]] = {
    "status_code": 202,
    "responses": {
        202: answers(forms.RequestAnswer, "Kafka holds the request.")[200],
        **REFUSALS,
        413: {},
        415: {},
    },
    "openapi_extra": body_schema(forms.RightRequest),
}


@router.post(
    "/access",
    responses={**answers(forms.AccessAnswer, "Everything that is held."), 413: {}, 415: {}},
    openapi_extra=body_schema(forms.AccessRequest),
)
async def access(request: Request) -> Response:
    """Write out everything held about the person that owns an identifier. Needs the scope read:pii.

    Reads every topic from its beginning, so that it takes minutes on a large deployment.
    """
    _require(request, READ_PII)
    body, services = await json_body(request, forms.AccessRequest), services_of(request)
    named = _named(request, body.identifier)

    def written() -> tuple[Person, bytes]:
        person, report = services.persons.access(named)
        return person, msgspec.json.encode(report)

    person, report = await _by_kafka(written)
    record(request, services, person.profile_ids)
    return Response(report, media_type=JSON)


@router.post("/erase", **SENDING)
async def erase(request: Request) -> Response:
    """Erase the person that owns an identifier, through all merges, for good. Needs the scope write.

    Events up to now are without effect from then on. To refuse later events too, send `suppress` first.
    """
    return await _sent(request, "erase")


@router.post("/suppress", **SENDING)
async def suppress(request: Request) -> Response:
    """Refuse further events of the person that owns an identifier, and erase nothing. Needs the scope write."""
    return await _sent(request, "opt_out")


@router.post("/admit", **SENDING)
async def admit(request: Request) -> Response:
    """Accept events of the person again. After an erasure, name each identifier. Needs the scope write."""
    return await _sent(request, "opt_in")


@router.get("/requests", responses=answers(Page, "The requests, newest first, each as its status."))
async def requests(request: Request, limit: Limit = 50, cursor: Cursor = "") -> Response:
    """Return the requests that STITCH has decided, whether console, API or command sent them."""
    services, tenant = services_of(request), caller(request).tenant
    before = numbers_in(cursor, 1)[0] if cursor else sys.maxsize
    older = [one for one in await _by_kafka(lambda: services.persons.all(tenant)) if one.seq < before]
    page, last = older[:limit], len(older) <= limit
    return plain(Page([msgspec.to_builtins(_status(one)) for one in page], "" if last else cursor_of(page[-1].seq)))


@router.get("/requests/{request_id}", responses=answers(forms.StatusAnswer, "What each stage has done."))
async def status(
    request: Request, request_id: Annotated[UUID, Path(description="The id of the request, after `decision/`.")]
) -> Response:
    """Return how far a request has come. 404 until STITCH has decided it, about a second after the request."""
    services, tenant = services_of(request), caller(request).tenant
    return plain(_status(await _by_kafka(lambda: services.persons.progress(tenant, f"{DECISION}{request_id}"))))


async def _sent(request: Request, kind: RightKind) -> Response:
    """Sends a request, recorded in the audit log before, and answers where its status is."""
    _require(request, WRITE)
    body, services = await json_body(request, forms.RightRequest), services_of(request)
    if "\0" in body.why:
        raise ProblemError(400, "invalid-request", "a request may not contain zero bytes")
    named, actor = _named(request, body.identifier), caller(request).actor
    record(request, services, named.profile_ids)
    request_id = await _by_kafka(lambda: services.persons.send(kind, named, actor, body.why.strip()))
    path = f"{router.prefix}/requests/{request_id.removeprefix(DECISION)}"
    answer = msgspec.json.encode(forms.RequestAnswer(request_id, kind, path))
    return Response(answer, 202, {"location": path}, JSON)


def _status(progress: RequestProgress) -> forms.StatusAnswer:
    return forms.StatusAnswer(
        progress.request, progress.kind, progress.requested_ms, progress.identifiers, progress.is_complete,
        progress.stages,
    )  # fmt: skip


def _require(request: Request, scope: str) -> None:
    if not caller(request).may(scope):
        raise ProblemError(403, "missing-scope", f"this needs a key with the scope {scope}")


def _named(request: Request, text: str) -> Person:
    try:
        return services_of(request).persons.named(caller(request).tenant, text)
    except NotAnIdentifierError as error:
        raise ProblemError(422, "not-an-identifier", str(error)) from error


async def _by_kafka(work: Callable[[], Result]) -> Result:
    """Returns the result of work that uses Kafka, in a thread.

    Raises:
        ProblemError: there is no such request, too many run, or Kafka cannot be used now.
    """
    try:
        return await run_in_threadpool(work)
    except UnknownRequestError as error:
        raise ProblemError(404, "not-found", str(error), RETRY) from error
    except BusyError as error:
        raise ProblemError(503, "busy", str(error), RETRY) from error
    except (OperatorError, KafkaException) as error:
        log.warning("serve_kafka_error", error=type(error).__name__, detail=str(error))
        raise ProblemError(503, "kafka-unavailable", "Kafka cannot be used now; see the server's log", RETRY) from error
