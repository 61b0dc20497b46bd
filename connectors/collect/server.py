"""Runs the collector: uvicorn on uvloop with bounded connections, until SIGTERM or ctrl-c, and then drains.

At the end it stops accepting, answers the requests that it has, waits for Kafka's acknowledgements, and leaves the
spool for the next start.
"""

import asyncio
import resource
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import uvicorn
from msgspec import Struct, structs

from connectors.collect.bounded_protocol import ConnectionLimits, bounded, sweep
from pipeline.errors import OperatorError
from pipeline.obs import metrics as m
from pipeline.obs.metrics import Metrics

BACKLOG: Final = 2048
KEEP_ALIVE_SECONDS: Final = 15
GRACE_SECONDS: Final = 20
RESERVED_DESCRIPTORS: Final = 128
"""Descriptors that connections leave for Kafka, the spool and logs."""
METRICS_SECONDS: Final = 1.0


class CollectAddressError(OperatorError):
    """The collector cannot listen on its address, or its certificate cannot be used.

    Operator action: set STITCHLINE_COLLECT_HOST and STITCHLINE_COLLECT_PORT to an address of this machine that is free,
    or correct the certificate's files.
    """


class Listening(Struct, frozen=True, kw_only=True):
    """Where the collector listens. ``port`` 0 chooses a free port."""

    host: str
    port: int
    tls_cert: str = ""
    tls_key: str = ""


class CollectServer:
    """uvicorn with the collector's configuration."""

    def __init__(self, app: Any, listening: Listening, metrics: Metrics, limits: ConnectionLimits) -> None:
        """Binds the address.

        Raises:
            CollectAddressError: the address is taken or not this machine's, or the certificate is unusable.
        """
        self._metrics = metrics
        self._cuts: dict[str, int] = {}
        self._reported: dict[str, int] = {}
        config = uvicorn.Config(
            app,
            http=bounded(_affordable(limits), self._cuts),
            loop="uvloop",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_certfile=listening.tls_cert or None,
            ssl_keyfile=listening.tls_key or None,
        )
        try:
            config.load()
        except OSError as error:
            message = f"the certificate cannot be used: {error}; see STITCHLINE_COLLECT_TLS_CERT"
            raise CollectAddressError(message) from error
        self._socket = _bound(listening.host, listening.port)
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(config)

    async def run(self, when_listening: Callable[[], None]) -> None:
        """Serves until SIGTERM or SIGINT, then answers what it has. Calls ``when_listening`` once."""
        connections = self._server.server_state.connections
        beside = [asyncio.create_task(sweep(connections)), asyncio.create_task(self._report(connections))]
        when_listening()
        try:
            await self._server._serve([self._socket])  # noqa: SLF001  without uvicorn's handling of signals
        finally:
            for task in beside:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*beside)

    def stop(self) -> None:
        """Makes :meth:`run` return once open requests are answered."""
        self._server.should_exit = True

    async def _report(self, connections: set[Any]) -> None:
        while True:
            self._metrics.set(m.COLLECT_CONNECTIONS, len(connections))
            for cause, count in self._cuts.items():
                self._metrics.add(m.COLLECT_CUT, count - self._reported.get(cause, 0), cause)
            self._reported = dict(self._cuts)
            await asyncio.sleep(METRICS_SECONDS)


def _affordable(limits: ConnectionLimits) -> ConnectionLimits:
    """Returns the limits with no more connections than the process may open files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    affordable = max(64, files - RESERVED_DESCRIPTORS)
    return structs.replace(limits, max_connections=min(limits.max_connections, affordable))


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        message = (
            f"cannot listen on {host}:{port} ({error.strerror}); set STITCHLINE_COLLECT_HOST and "
            "STITCHLINE_COLLECT_PORT to a free address of this machine"
        )
        raise CollectAddressError(message) from error
    bound.setblocking(False)
    return bound
