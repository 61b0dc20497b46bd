"""Security headers of every response of the console."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No inline script or style runs, whatever text reaches a page, and nothing is loaded from or sent to other hosts."""
HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
)
NO_STORE: Final = (b"cache-control", b"no-store")
"""Pages hold personal data: neither a proxy nor the browser's history may keep them after the session."""
HSTS: Final = (b"strict-transport-security", b"max-age=31536000")


class SecurityHeaders:
    """Adds the headers to responses. Responses that set ``cache-control`` themselves keep theirs.

    ``behind_tls``: a proxy ends TLS before this server, so requests count as https.
    """

    def __init__(self, app: ASGIApp, *, behind_tls: bool) -> None:
        self._app, self._behind_tls = app, behind_tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._behind_tls:
            scope = {**scope, "scheme": "https"}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *HEADERS]
                if not any(name == NO_STORE[0] for name, _ in headers):
                    headers.append(NO_STORE)
                if scope["scheme"] == "https":
                    headers.append(HSTS)
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, with_headers)
