"""The session cookie: HttpOnly, SameSite=Strict, and over TLS Secure with a prefix that no other host can set."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from pipeline.serve.signin.sessions import LIFETIME_MS

PLAIN: Final = "stitchline_session"
SECURE: Final = "__Host-stitchline_session"


def token_of(request: Request) -> str:
    """Returns the token that the request carries, or ""."""
    return request.cookies.get(_name(request), "")


def set_token(request: Request, response: Response, token: str) -> None:
    """Sends a token to the browser."""
    response.set_cookie(
        _name(request), token, max_age=LIFETIME_MS // 1000, path="/", httponly=True, samesite="strict",
        secure=is_tls(request),
    )  # fmt: skip


def clear_token(request: Request, response: Response) -> None:
    """Makes the browser forget the token."""
    response.delete_cookie(_name(request), path="/", httponly=True, samesite="strict", secure=is_tls(request))


def is_tls(request: Request) -> bool:
    """Returns whether a request came over TLS: its cookies are then sent over TLS only."""
    return request.url.scheme == "https"


def _name(request: Request) -> str:
    return SECURE if is_tls(request) else PLAIN
