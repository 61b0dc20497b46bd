"""``/mcp``: the MCP server over streamable HTTP, behind the gate of the API: key, scope, rate limit, metrics.

Each request stands alone: it carries its key, and any process can answer it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.serve.agents.server import agent_server, caller_over_http
from pipeline.serve.api.gate import PREFIX, Gate
from pipeline.serve.api.services import Services

PATH: Final = "/mcp"
BEHIND_GATE: Final = f"{PREFIX}mcp"
MAX_BODY_BYTES: Final = 64 << 10
REBINDING: Final = TransportSecuritySettings(enable_dns_rebinding_protection=False)
"""A page that a browser was lured to has no key, and every request needs one."""


class AgentsEndpoint:
    """Answers ``/mcp``; all other requests go to ``app``."""

    def __init__(self, app: ASGIApp, services: Services, rules_dir: Path | None) -> None:
        self._app = app
        self._server = agent_server(services, caller_over_http, rules_dir)
        agents = self._server.streamable_http_app(
            streamable_http_path=BEHIND_GATE, json_response=True, stateless_http=True,
            max_request_body_size=MAX_BODY_BYTES, transport_security=REBINDING,
        )  # fmt: skip
        self._agents = Gate(agents, services)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "http" and scope["path"].rstrip("/") == PATH:
            await self._agents({**scope, "path": BEHIND_GATE, "raw_path": BEHIND_GATE.encode()}, receive, send)
        else:
            await self._app(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serves agents within the context."""
        async with self._server.session_manager.run():
            yield
