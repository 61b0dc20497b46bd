"""Signing in and out with a name and a password."""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pipeline.obs.log import logger
from pipeline.serve.console.context import ConsoleParts
from pipeline.serve.console.cookie import clear_token, is_tls, set_token, token_of
from pipeline.serve.console.forms import FormError, read_form
from pipeline.serve.console.guard import CSRF_FIELD, Visit, is_own_origin

FORM_COOKIE: Final = "stitchline_form"
"""Holds the token that the sign-in form repeats: another site cannot sign a browser in under its own user."""
WRONG: Final = "Name or password is wrong."
STALE: Final = "The form was too old. Please sign in again."

log = logger(__name__)


def sign_in_page(console: ConsoleParts) -> Callable[[Request], Awaitable[Response]]:
    """Returns the endpoint of the form and of what it sends."""

    async def endpoint(request: Request) -> Response:
        if request.method == "POST":
            return await _submitted(console, request)
        return await run_in_threadpool(_opened, console, request)

    return endpoint


def sign_out(visit: Visit) -> Response:
    """Ends the session. The provider's own session goes on, so its users get a link that ends it too."""
    visit.console.sessions.close(visit.session)
    oidc = visit.console.oidc
    provider = oidc.sign_out_url() if oidc is not None and visit.user.is_external else ""
    response: Response = RedirectResponse("/sign-in", 303)
    if oidc is not None and provider:
        label = oidc.configuration.label
        response = HTMLResponse(
            visit.console.renderer.text("signed_out.html", user=None, provider=provider, label=label)
        )
    clear_token(visit.request, response)
    return response


def _opened(console: ConsoleParts, request: Request) -> Response:
    back = local_path(request.query_params.get("back", ""))
    if console.sessions.find(token_of(request)) is not None:
        return RedirectResponse(back, 303)
    return sign_in_form(console, request, back)


async def _submitted(console: ConsoleParts, request: Request) -> Response:
    try:
        form = await read_form(request)
    except FormError as error:
        return await run_in_threadpool(sign_in_form, console, request, "/", message=str(error), status=error.status)
    return await run_in_threadpool(_signed_in, console, request, form)


def _signed_in(console: ConsoleParts, request: Request, form: dict[str, str]) -> Response:
    name, back = form.get("name", "").strip(), local_path(form.get("back", ""))
    cookie = request.cookies.get(FORM_COOKIE, "")
    if not (
        cookie and hmac.compare_digest(cookie, form.get(CSRF_FIELD, "")) and is_own_origin(request, console.public_url)
    ):
        return sign_in_form(console, request, back, message=STALE, status=403, name=name)
    address = request.client.host if request.client else ""
    attempt = console.attempts.admit(name, address)
    if attempt.wait_seconds:
        log.warning("sign_in_locked", address=address, seconds=attempt.wait_seconds)
        minutes = -(-attempt.wait_seconds // 60)
        response = sign_in_form(
            console, request, back, message=f"Too many attempts. Try again in {minutes} min.", status=429, name=name
        )
        response.headers["retry-after"] = str(attempt.wait_seconds)
        return response
    user = console.users.verified(name, form.get("password", ""))
    if user is None:
        log.warning("sign_in_failed", address=address)
        return sign_in_form(console, request, back, message=WRONG, status=403, name=name)
    console.attempts.succeeded(attempt, name, address)
    response = RedirectResponse(back, 303)
    set_token(request, response, console.sessions.open(user))
    response.delete_cookie(FORM_COOKIE, path="/sign-in", httponly=True, samesite="strict")
    return response


def sign_in_form(
    console: ConsoleParts, request: Request, back: str, *, message: str = "", status: int = 200, name: str = ""
) -> Response:
    """Returns the form with a new token, or what to do first if there is no user."""
    token = secrets.token_urlsafe(24)
    text = console.renderer.text(
        "sign_in.html", user=None, message=message, back=back, name=name, form_token=token,
        has_users=any(not user.is_external for user in console.users.all()),
        oidc_label=console.oidc.configuration.label if console.oidc else "",
    )  # fmt: skip
    response = HTMLResponse(text, status)
    response.set_cookie(FORM_COOKIE, token, path="/sign-in", httponly=True, samesite="strict", secure=is_tls(request))
    return response


def local_path(text: str) -> str:
    """Returns the path to go to after signing in; ``/`` for anything but a path of this server."""
    parts = urlsplit(text)
    is_local = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return text if is_local and text.isprintable() and "\\" not in text else "/"
