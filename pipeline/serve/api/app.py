"""The application: routes behind the gate, errors as problems, and the OpenAPI description."""

from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pipeline.obs.log import logger
from pipeline.serve.api import (
    business_routes,
    change_routes,
    forms,
    identity_routes,
    privacy_forms,
    privacy_routes,
    profile_routes,
    segment_routes,
)
from pipeline.serve.api.gate import Gate
from pipeline.serve.api.problems import ProblemError, problem_response
from pipeline.serve.api.services import Services
from pipeline.serve.read.pages import CursorError
from pipeline.version import version

DESCRIPTION: Final = """Profiles, identities, segments and leads, as the pipeline last published them, and the
rights of persons.

Send a key of `stitchline serve keys add` as `Authorization: Bearer slk_…`. A key belongs to one tenant. Without the
scope `read:pii` personal data is masked.
"""
REFERENCE: Final = "#/components/schemas/{name}"
ROUTES: Final = (profile_routes, identity_routes, segment_routes, business_routes, change_routes, privacy_routes)

log = logger(__name__)


def api_app(services: Services) -> FastAPI:
    """Returns the application of one process."""
    app = FastAPI(title="Stitchline", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.services = services
    for module in ROUTES:
        app.include_router(module.router)
    described = msgspec.json.encode(openapi(app))

    @app.get("/v1/openapi.json", include_in_schema=False)
    async def description() -> Response:
        return Response(described, media_type="application/json")

    for error, answer in _HANDLERS.items():
        app.add_exception_handler(error, answer)
    app.add_middleware(Gate, services=services)
    return app


def openapi(app: FastAPI) -> dict[str, Any]:
    """Returns the OpenAPI 3.1 description."""
    described = get_openapi(
        title="Stitchline", version=version(), openapi_version="3.1.0", description=DESCRIPTION, routes=app.routes
    )
    structs = (*forms.COMPONENTS, *privacy_forms.COMPONENTS)
    _, components = msgspec.json.schema_components(structs, ref_template=REFERENCE)
    described["components"] = {
        "schemas": components,
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
    }
    described["security"] = [{"key": []}]
    return described


async def _problem(_request: Request, error: Any) -> Response:
    return problem_response(error.status, error.kind, error.detail, headers=error.headers)


async def _invalid(_request: Request, error: Any) -> Response:
    errors = [{"at": list(item["loc"]), "message": item["msg"]} for item in error.errors()]
    return problem_response(400, "invalid-request", "the request does not have the documented form", errors=errors)


async def _not_a_cursor(_request: Request, error: Any) -> Response:
    return problem_response(422, "not-a-cursor", str(error))


async def _http(_request: Request, error: Any) -> Response:
    kinds = {404: "not-found", 405: "method-not-allowed"}
    return problem_response(
        error.status_code, kinds.get(error.status_code, "refused"), str(error.detail), headers=error.headers
    )


async def _database(_request: Request, error: Any) -> Response:
    log.warning("serve_database_error", error=type(error.orig).__name__)
    return problem_response(503, "database-unavailable", "the database does not answer", headers={"retry-after": "5"})


async def _defect(_request: Request, error: Any) -> Response:
    log.error("serve_defect", error=type(error).__name__)
    return problem_response(500, "defect", "this is a defect; its traceback is in the log")


_HANDLERS: Final[dict[type[Exception], Any]] = {
    ProblemError: _problem,
    RequestValidationError: _invalid,
    CursorError: _not_a_cursor,
    HTTPException: _http,
    OperationalError: _database,
    InterfaceError: _database,
    Exception: _defect,
}
