"""The pages that orchestrators and Prometheus request from a worker: ``/metrics``, ``/livez``, ``/readyz``.

Both health pages return 200 ``{"ok": true, "reasons": []}``, or 503 with reasons such as "partition 3 of profile is
restoring". Restart a worker that is not live; do not restart one that is only not ready.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from pipeline.errors import OperatorError
from pipeline.obs.http_door import HttpDoor, Page, Request
from pipeline.obs.metrics import READY, Metrics

Check: TypeAlias = Callable[[], Sequence[str]]
"""Returns the reasons why not; empty if there are none. Must be fast and must not block."""


class AddressError(OperatorError):
    """The worker cannot listen on the address of the health pages.

    Operator action: set STITCHLINE_HTTP_PORT to a free port, a different one for each worker on a host, or to 0 to
    disable the pages.
    """


def _always() -> Sequence[str]:
    return ()


class HealthServer:
    """Serves the three pages on the running event loop. ``port`` 0 chooses a free port, then found in :attr:`port`."""

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
        self._door = HttpDoor(
            {"/metrics": self._metrics_page, "/livez": self._livez_page, "/readyz": self._readyz_page}
        )

    async def start(self) -> None:
        """Starts listening. Raises :class:`AddressError` if the address is taken or not available."""
        try:
            self.port = await self._door.start(self.host, self.port)
        except OSError as error:
            message = (
                f"cannot serve health pages on {self.host}:{self.port} ({error.strerror}); set STITCHLINE_HTTP_PORT"
            )
            raise AddressError(message) from error

    async def stop(self) -> None:
        """Stops listening after at most one second for open requests. Does nothing if not started."""
        await self._door.stop()

    @property
    def url(self) -> str:
        """Returns the base URL of the pages, without a trailing slash."""
        return f"http://{self.host}:{self.port}"

    def _metrics_page(self, request: Request) -> Page:
        self._metrics.set(READY, 0 if self._ready() else 1)
        return Page(*self._metrics.expose(request.headers.get("accept", "")))

    def _livez_page(self, _: Request) -> Page:
        return _health(self._alive())

    def _readyz_page(self, _: Request) -> Page:
        return _health([*self._alive(), *self._ready()])


def _health(reasons: Sequence[str]) -> Page:
    body = msgspec.json.encode({"ok": not reasons, "reasons": list(reasons)})
    return Page(body, "application/json; charset=utf-8", 503 if reasons else 200)
