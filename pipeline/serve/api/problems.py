"""Errors as problem details (RFC 9457): ``application/problem+json`` with a type that clients can compare."""

from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.responses import Response

MEDIA_TYPE: Final = "application/problem+json"
TYPE_BASE: Final = "urn:stitchline:problem:"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of an error."""

    type: str
    """URI of the kind of problem."""
    title: str
    status: int
    detail: str = ""
    """What is wrong with this request, and what to send instead."""
    errors: list[dict[str, Any]] = []
    """The parts of the request that are not valid: ``{"at": ["query", "limit"], "message": …}``."""


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(self, status: int, kind: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.headers = status, kind, detail, headers or {}


def problem_response(
    status: int,
    kind: str,
    detail: str,
    *,
    errors: list[dict[str, Any]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Returns the answer of a problem. ``kind`` is the last part of its type."""
    body = Problem(TYPE_BASE + kind, HTTPStatus(status).phrase, status, detail, errors or [])
    return Response(msgspec.json.encode(body), status, headers, MEDIA_TYPE)
