"""Answers with JSON: masked or recorded in the audit log, encoded without a second validation."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pipeline.serve.access.masking import masked
from pipeline.serve.api.gate import principal_in
from pipeline.serve.api.problems import ProblemError
from pipeline.serve.api.services import Services
from pipeline.serve.read.resolve import Found

JSON = "application/json"
_encode = msgspec.json.Encoder().encode


def plain(value: Any) -> Response:
    """Returns an answer without personal data."""
    return Response(_encode(value), media_type=JSON)


def personal(request: Request, services: Services, value: Any, profile_ids: Sequence[str]) -> Response:
    """Returns an answer about customers: masked, or recorded in the audit log, by the caller's scopes."""
    principal = principal_in(request.scope)
    if not principal.sees_personal_data:
        return Response(_encode(masked(msgspec.to_builtins(value))), media_type=JSON)
    record(request, services, profile_ids)
    return Response(_encode(value), media_type=JSON)


def record(request: Request, services: Services, profile_ids: Sequence[str]) -> None:
    """Records an answer with personal data in the audit log."""
    principal = principal_in(request.scope)
    route = f"{request.method} {request.scope['route'].path}"
    services.audit.record(principal.actor, principal.tenant, route, profile_ids)


def profile_body(request: Request, found: Found, fields: Collection[str]) -> bytes:
    """Returns the JSON text of a profile: its stored text, or with selected fields, or masked."""
    masks = not principal_in(request.scope).sees_personal_data
    if not masks and not fields:
        if not found.requested_id:
            return found.body
        return b'{"requested_id":' + _encode(found.requested_id) + b"," + found.body[1:]
    return _encode(profile_view(found, fields, masks=masks))


def profile_view(found: Found, fields: Collection[str], *, masks: bool) -> dict[str, Any]:
    """Returns a profile as JSON values. ``profile_id`` is always part of it.

    Raises:
        ProblemError: there is no such field.
    """
    profile: dict[str, Any] = msgspec.json.decode(found.body)
    if fields:
        unknown = sorted(set(fields) - profile.keys())
        if unknown:
            detail = f"{', '.join(unknown)[:200]}: the fields are {', '.join(profile)}"
            raise ProblemError(422, "unknown-field", detail)
        profile = {name: value for name, value in profile.items() if name in {*fields, "profile_id"}}
    if masks:
        profile = masked(profile)
    return {"requested_id": found.requested_id, **profile} if found.requested_id else profile
