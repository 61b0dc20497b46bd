"""What an orchestrator and Prometheus ask of a worker: ``/metrics``, ``/livez``, ``/readyz``.

Both health pages answer 200 ``{"ok": true, "reasons": []}`` or 503 with the
reasons, as in "partition 3 of profile is restoring". A worker that is not live should be restarted; one that is not
ready should be left alone.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from pipeline.errors import OperatorError
from pipeline.obs.http_door import HttpDoor, Page, Request
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
        self._door = HttpDoor(
            {"/metrics": self._metrics_page, "/livez": self._livez_page, "/readyz": self._readyz_page}
        )

    async def start(self) -> None:
        """Listen. Raises :class:`AddressError` where the address is taken or not ours."""
        try:
            self.port = await self._door.start(self.host, self.port)
        except OSError as error:
            message = (
                f"cannot serve health pages on {self.host}:{self.port} ({error.strerror}); set STITCHLINE_HTTP_PORT"
            )
            raise AddressError(message) from error

    async def stop(self) -> None:
        """Stop listening; requests under way get a second to end. Does nothing when not started."""
        await self._door.stop()

    @property
    def url(self) -> str:
        """Where the pages are, without a trailing slash."""
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
