"""The gate in front of every route of ``/v1``: key, scope, rate limit, metrics.

Plain ASGI, because each layer of a framework costs as much as the look-up itself.
"""

import time
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.obs import metrics as m
from pipeline.serve.access.keys import READ
from pipeline.serve.access.principal import Principal, principal_of
from pipeline.serve.api.problems import problem_response
from pipeline.serve.api.services import Services

PREFIX: Final = "/v1/"
OPEN_PATHS: Final = frozenset({"/v1/openapi.json"})
CHALLENGE: Final = {"www-authenticate": 'Bearer realm="stitchline"'}
MAX_SECRET_CHARACTERS: Final = 200
PRINCIPAL: Final = "principal"
"""Name of the caller in the request's scope."""
SECRET: Final = "secret"  # noqa: S105  a name
"""Name of the key's secret in the request's scope, for answers that take long."""


class Gate:
    """Lets requests with a valid key through. Paths outside ``/v1`` pass."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app, self._services = app, services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX) or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            refusal = await self._refusal(scope)
            await (refusal or self._app)(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._services.metrics.add(m.SERVE_REQUESTS, 1, route, str(status))
            self._services.metrics.observe(m.SERVE_REQUEST_SECONDS, time.perf_counter() - began, route)

    async def _refusal(self, scope: Scope) -> Response | None:
        """Returns the answer to a request that may not pass, or None."""
        secret = _bearer(Headers(scope=scope).get("authorization", ""))
        if not secret:
            detail = "send the header Authorization: Bearer with a key of: stitchline serve keys add"
            return problem_response(401, "no-key", detail, headers=CHALLENGE)
        key = await self._services.look_up(self._services.keys.find, secret)
        if key is None:
            return problem_response(401, "invalid-key", "there is no such key, or it was revoked", headers=CHALLENGE)
        principal = principal_of(key)
        if not principal.may(READ):
            return problem_response(403, "missing-scope", f"this needs a key with the scope {READ}")
        wait = self._services.limits.wait_seconds(key)
        if wait:
            detail = f"this key may send {key.requests_per_minute} requests a minute"
            return problem_response(429, "too-many-requests", detail, headers={"retry-after": str(wait)})
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            # No identifier has one, and PostgreSQL refuses it in every text.
            return problem_response(400, "invalid-request", "a request may not contain zero bytes")
        scope[PRINCIPAL], scope[SECRET] = principal, secret
        return None


def principal_in(scope: Scope) -> Principal:
    """Returns the caller of a request that the gate let through."""
    principal: Principal = scope[PRINCIPAL]
    return principal


async def key_is_valid(scope: Scope, services: Services) -> bool:
    """Returns whether the key of an open request is still valid."""
    return await services.look_up(services.keys.find, scope[SECRET]) is not None


def _bearer(header: str) -> str:
    scheme, _, secret = header.partition(" ")
    return secret.strip()[:MAX_SECRET_CHARACTERS] if scheme.lower() == "bearer" else ""
