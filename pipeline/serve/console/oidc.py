"""The two addresses of sign-in at an OpenID provider: where it begins, and where the provider sends the browser back.

The cookie between them is SameSite=Lax, because the return is a navigation from the provider's site. The session's own
cookie stays strict: the page after the return loads the next one from this site.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pipeline.serve.console.context import ConsoleParts
from pipeline.serve.console.cookie import is_tls, set_token
from pipeline.serve.console.sign_in import local_path, sign_in_form
from pipeline.serve.signin.oidc.flow import LIFETIME_SECONDS, OidcSignIn, SignInRefusedError

PLAIN: Final = "stitchline_oidc"
SECURE: Final = "__Host-stitchline_oidc"
MAX_QUERY_BYTES: Final = 8192

Endpoint = Callable[[Request], Awaitable[Response]]


def oidc_begin(console: ConsoleParts, oidc: OidcSignIn) -> Endpoint:
    """Returns the endpoint that sends a browser to the provider."""

    async def endpoint(request: Request) -> Response:
        back = local_path(request.query_params.get("back", ""))
        try:
            address, cookie = await run_in_threadpool(oidc.begin, back)
        except SignInRefusedError as error:
            return await run_in_threadpool(
                sign_in_form, console, request, back, message=str(error), status=error.status
            )
        response = RedirectResponse(address, 303)
        response.set_cookie(
            _name(request), cookie, max_age=LIFETIME_SECONDS, path="/", httponly=True, samesite="lax",
            secure=is_tls(request),
        )  # fmt: skip
        return response

    return endpoint


def oidc_callback(console: ConsoleParts, oidc: OidcSignIn) -> Endpoint:
    """Returns the endpoint that ends a sign-in, with a session or with the reason why there is none."""

    async def endpoint(request: Request) -> Response:
        response = await run_in_threadpool(_ended, console, oidc, request)
        response.delete_cookie(_name(request), path="/", httponly=True, samesite="lax", secure=is_tls(request))
        return response

    return endpoint


def _ended(console: ConsoleParts, oidc: OidcSignIn, request: Request) -> Response:
    query = dict(request.query_params) if len(request.scope["query_string"]) <= MAX_QUERY_BYTES else {}
    try:
        user, back = oidc.finish(query, request.cookies.get(_name(request), ""))
    except SignInRefusedError as error:
        return sign_in_form(console, request, "/", message=str(error), status=error.status)
    # A redirect would count as one from the provider's site, for which a browser sends no strict cookie.
    response = HTMLResponse(console.renderer.text("continue.html", to=local_path(back)))
    set_token(request, response, console.sessions.open(user))  # always a new token, whatever the browser sent
    return response


def _name(request: Request) -> str:
    return SECURE if is_tls(request) else PLAIN
