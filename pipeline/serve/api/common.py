"""What the routes have in common: parameters, documented answers, and the profile that a path names."""

from typing import Annotated, Any, Final, TypeVar, cast

import msgspec
from fastapi import Path, Query
from starlette.requests import Request

from pipeline.query.naming import NotAnIdentifierError
from pipeline.serve.access.principal import Principal
from pipeline.serve.api.gate import principal_in
from pipeline.serve.api.problems import MEDIA_TYPE, ProblemError
from pipeline.serve.api.services import Services
from pipeline.serve.read.resolve import Found

MAX_BODY_BYTES: Final = 64 << 10
MAX_REF_CHARACTERS: Final = 500

Ref = Annotated[
    str,
    Path(
        min_length=1,
        max_length=MAX_REF_CHARACTERS,
        description="An identifier, type:value, or a profile id, old or new. One with a slash: see lookup.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=500, description="Items of a page.")]
Cursor = Annotated[
    str,
    Query(max_length=300, description="`next` of the page before; empty: the first page. New rows shift no page."),
]
Body = TypeVar("Body")

REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, description in {
        400: "The request does not have the documented form.",
        401: "No key, an unknown one, or a revoked one.",
        403: "The key lacks a scope.",
        404: "It does not exist for the key's tenant.",
        422: "The request has the right form, but a value in it cannot be used.",
        429: "The key's requests of this minute are used up; see Retry-After.",
        500: "A defect.",
        503: "The database, or Kafka for what needs it, does not answer; see Retry-After.",
    }.items()
}
"""Answers that every route may give."""


def answers(struct: type, description: str, **more: Any) -> dict[int | str, dict[str, Any]]:
    """Returns the documented answers of a route whose success has the form of a struct."""
    schema = {"$ref": f"#/components/schemas/{struct.__name__}"}
    success = {"description": description, "content": {"application/json": {"schema": schema}}, **more}
    return {200: success, **REFUSALS}


def services_of(request: Request) -> Services:
    """Returns the services of this process."""
    return cast("Services", request.app.state.services)


def caller(request: Request) -> Principal:
    """Returns the caller."""
    return principal_in(request.scope)


async def current(request: Request, ref: str) -> Found:
    """Returns the current profile of an identifier or id.

    Raises:
        ProblemError: it is not an identifier, or this tenant has no such profile.
    """
    services = services_of(request)
    try:
        found = await services.look_up(services.reads.profiles.find, caller(request).tenant, ref)
    except NotAnIdentifierError as error:
        raise ProblemError(422, "not-an-identifier", str(error)) from error
    if found is None:
        raise ProblemError(404, "not-found", "no profile has this identifier or id")
    return found


async def json_body(request: Request, kind: type[Body]) -> Body:
    """Returns the request's body.

    Raises:
        ProblemError: it is not JSON of this form, or too long.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(415, "unsupported-media-type", "send the body as application/json")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise ProblemError(413, "too-long", f"a body has {MAX_BODY_BYTES} bytes at most")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProblemError(400, "invalid-request", f"body: {error}") from error


def body_schema(struct: type) -> dict[str, Any]:
    """Returns the OpenAPI part that documents a request's body."""
    schema = {"$ref": f"#/components/schemas/{struct.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
