"""The console as an ASGI application: every page with its methods and the right that it needs."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from pipeline.serve.console.context import ConsoleParts
from pipeline.serve.console.guard import Handler, guarded
from pipeline.serve.console.headers import SecurityHeaders
from pipeline.serve.console.oidc import oidc_begin, oidc_callback
from pipeline.serve.console.pages import (
    accounts,
    customers,
    leads,
    operation,
    overview,
    people,
    privacy,
    rules,
    segments,
    triggers,
)
from pipeline.serve.console.sign_in import sign_in_page, sign_out
from pipeline.serve.console.static_files import asset
from pipeline.serve.signin.oidc.configuration import CALLBACK
from pipeline.serve.signin.roles import Right

PAGES: Final[tuple[tuple[str, str, Right, Handler], ...]] = (
    ("GET", "/", Right.READ, overview.overview),
    ("GET", "/live", Right.READ, overview.live),
    ("GET", "/customers", Right.READ, customers.customers),
    ("GET", "/customers/{profile_id}", Right.READ, customers.customer),
    ("GET", "/customers/{profile_id}/timeline", Right.READ, customers.timeline),
    ("GET", "/customers/{profile_id}/graph", Right.READ, customers.graph),
    ("GET", "/accounts", Right.READ, accounts.accounts),
    ("GET", "/accounts/members", Right.PERSONAL, accounts.account),
    ("GET", "/leads", Right.READ, leads.leads),
    ("GET", "/leads/{action_id}", Right.READ, leads.lead),
    ("GET", "/segments", Right.READ, segments.segments),
    ("POST", "/segments/preview", Right.TRY, segments.preview),
    ("GET", "/segments/{name}", Right.READ, segments.segment),
    ("GET", "/triggers", Right.READ, triggers.triggers),
    ("POST", "/triggers/dry-run", Right.TRY, triggers.dry_run),
    ("GET", "/rules", Right.READ, rules.rules),
    ("POST", "/rules/compare", Right.TRY, rules.compare),
    ("GET", "/sources", Right.READ, operation.sources),
    ("GET", "/sources/live", Right.READ, operation.arrivals),
    ("GET", "/quarantine", Right.OPERATE, operation.quarantine),
    ("POST", "/quarantine/replay", Right.OPERATE, operation.replay),
    ("GET", "/quarantine/{place}", Right.OPERATE, operation.quarantined),
    ("GET", "/privacy", Right.PRIVACY, privacy.privacy),
    ("POST", "/privacy/confirm", Right.PRIVACY, privacy.confirm),
    ("POST", "/privacy/send", Right.PRIVACY, privacy.send),
    ("POST", "/privacy/access", Right.DISCLOSE, privacy.access),
    ("GET", "/privacy/requests/{request_id}", Right.PRIVACY, privacy.request),
    ("GET", "/privacy/requests/{request_id}/live", Right.PRIVACY, privacy.live),
    ("GET", "/audit", Right.ADMIN, operation.audit),
    ("GET", "/users", Right.ADMIN, people.users),
    ("POST", "/users", Right.ADMIN, people.add_user),
    ("POST", "/users/{name}/role", Right.ADMIN, people.set_role),
    ("POST", "/users/{name}/remove", Right.ADMIN, people.remove_user),
    ("POST", "/sign-out", Right.READ, sign_out),
)
"""Method, path, right, handler. The test of the access matrix reads this table."""


_TITLES: Final = {404: "Not found", 405: "Not possible", 500: "A fault"}


def console_app(console: ConsoleParts) -> Starlette:
    """Returns the application, to be mounted at ``/`` after all other routes."""
    routes = [Route(path, guarded(console, right, handler), methods=[method]) for method, path, right, handler in PAGES]
    return Starlette(
        routes=[
            Route("/static/{name}", asset, methods=["GET"]),
            Route("/sign-in", sign_in_page(console), methods=["GET", "POST"]),
            *_oidc_routes(console),
            *routes,
        ],
        middleware=[Middleware(SecurityHeaders, behind_tls=console.public_url.startswith("https:"))],
        exception_handlers={
            500: _fault(console, 500, "The server has a fault; its log has the details."),
            404: _fault(console, 404, "There is no such page."),
            405: _fault(console, 405, "This address is used otherwise."),
        },
    )


def _oidc_routes(console: ConsoleParts) -> list[Route]:
    if console.oidc is None:
        return []
    return [
        Route("/sign-in/oidc", oidc_begin(console, console.oidc), methods=["GET"]),
        Route(CALLBACK, oidc_callback(console, console.oidc), methods=["GET"]),
    ]


def _fault(console: ConsoleParts, status: int, message: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    text = console.renderer.text("fault.html", user=None, title=_TITLES[status], message=message)

    async def handler(_request: Request, _error: Exception) -> Response:
        return HTMLResponse(text, status)

    return handler
