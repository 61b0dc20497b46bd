"""What an orchestrator and Prometheus ask of a worker: ``/metrics``, ``/livez``, ``/readyz``.

Both health pages answer 200 ``{"ok": true, "reasons": []}`` or 503 with the
reasons, as in "partition 3 of profile is restoring". A worker that is not live should be restarted; one that is not
ready should be left alone.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
from aiohttp import web

from pipeline.errors import OperatorError
from pipeline.obs.metrics import READY, Metrics

Check: TypeAlias = Callable[[], Sequence[str]]
"""Gives the reasons why not, in plain words; none: all is well. Must be quick and must not block."""


class AddressError(OperatorError):
    """The address of the health pages cannot be listened on.

    Operator action: set STITCHLINE_HTTP_PORT to a free port, a different one for each worker of a
    host, or to 0 for none.
    """


def _always() -> Sequence[str]:
    return ()


class HealthServer:
    """Serves the three pages on the running event loop. ``port`` 0 takes a free one; see :attr:`port` after start."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        ready: Check = _always,
        alive: Check = _always,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._metrics = metrics
        self._ready = ready
        self._alive = alive
        self.host = host
        self.port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises :class:`AddressError` where the address is taken or not ours."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics_page)
        app.router.add_get("/livez", self._livez_page)
        app.router.add_get("/readyz", self._readyz_page)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port).start()
        except OSError as error:
            await runner.cleanup()
            message = (
                f"cannot serve health pages on {self.host}:{self.port} ({error.strerror}); set STITCHLINE_HTTP_PORT"
            )
            raise AddressError(message) from error
        self._runner = runner
        self.port = int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening; requests under way get a second to end. Does nothing when not started."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        """Where the pages are, without a trailing slash."""
        return f"http://{self.host}:{self.port}"

    async def _metrics_page(self, request: web.Request) -> web.Response:
        self._metrics.set(READY, 0 if self._ready() else 1)
        body, content_type = self._metrics.expose(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _livez_page(self, _: web.Request) -> web.Response:
        return _health(self._alive())

    async def _readyz_page(self, _: web.Request) -> web.Response:
        return _health([*self._alive(), *self._ready()])


def _health(reasons: Sequence[str]) -> web.Response:
    body = msgspec.json.encode({"ok": not reasons, "reasons": list(reasons)})
    return web.Response(body=body, status=503 if reasons else 200, content_type="application/json")
