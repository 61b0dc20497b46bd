"""Serves the assets, from memory: they are few and part of the package."""

from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from pipeline.serve.console.render import STATIC

TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".LICENSE": "text/plain; charset=utf-8",
}
FOR_GOOD: Final = "public, max-age=31536000, immutable"
"""Every URL of an asset in a page carries the hash of its content."""

_ASSETS: Final = {path.name: (path.read_bytes(), TYPES[path.suffix]) for path in STATIC.iterdir() if path.is_file()}


async def asset(request: Request) -> Response:
    """Returns the asset of a name. Needs no session: the sign-in page uses them."""
    known = _ASSETS.get(request.path_params["name"])
    if known is None:
        return PlainTextResponse("no such asset", 404)
    body, kind = known
    return Response(body, media_type=kind, headers={"cache-control": FOR_GOOD})
