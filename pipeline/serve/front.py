"""The application of one process: the API under its prefixes, the console everywhere else."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

API_PREFIXES: Final = ("/v1", "/mcp")
"""First parts of the paths that programs use. An unknown path below them is answered as the API does."""


class Front:
    """Passes each request to the API or to the console."""

    def __init__(self, api: ASGIApp, console: ASGIApp) -> None:
        self._api, self._console = api, console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on."""
        path = scope.get("path", "")
        is_api = any(path == prefix or path.startswith(f"{prefix}/") for prefix in API_PREFIXES)
        await (self._api if is_api or scope["type"] != "http" else self._console)(scope, receive, send)
