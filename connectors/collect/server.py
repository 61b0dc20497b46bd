"""Runs the collector: bounded connections on one event loop, until SIGTERM or ctrl-c, and then drains.

At the end it stops accepting, answers the requests that it has, waits for Kafka's acknowledgements, and leaves the
spool for the next start.
"""

import asyncio
import resource
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from msgspec import Struct, structs

from connectors.collect.connection import Connection
from connectors.collect.connections import Application, ConnectionLimits, Connections
from pipeline.errors import OperatorError
from pipeline.obs import metrics as m
from pipeline.obs.listening import BACKLOG, listening_socket
from pipeline.obs.metrics import Metrics

GRACE_SECONDS: Final = 20
RESERVED_DESCRIPTORS: Final = 128
"""Descriptors that connections leave for Kafka, the spool and logs."""
SWEEP_SECONDS: Final = 0.5


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
    """Listens on an address and has the application answer."""

    def __init__(self, app: Application, listening: Listening, metrics: Metrics, limits: ConnectionLimits) -> None:
        """Binds the address.

        Raises:
            CollectAddressError: the address is taken or not this machine's, or the certificate is unusable.
        """
        self._app, self._metrics = app, metrics
        self._connections = Connections(_affordable(limits))
        self._reported: dict[str, int] = {}
        self._tls = _tls(listening)
        self._socket = listening_socket(listening.host, listening.port, "COLLECT", CollectAddressError)
        self.port: int = self._socket.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ends = asyncio.Event()

    async def run(self, when_listening: Callable[[], None]) -> None:
        """Serves until :meth:`stop`, then answers what it has. Calls ``when_listening`` once."""
        loop = self._loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Connection(self._app, self._connections, loop), sock=self._socket, backlog=BACKLOG, ssl=self._tls
        )
        watching = loop.create_task(self._watch(loop))
        when_listening()
        try:
            await self._ends.wait()
            server.close()
            await self._drain()
        finally:
            self._loop = None
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            self._app.report()

    def stop(self) -> None:
        """Makes :meth:`run` return once open requests are answered. Call it from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ends.set)

    async def _drain(self) -> None:
        """Ends the connections that wait, and the others once they are answered, within a time."""
        for connection in list(self._connections.open):
            connection.finish()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._connections.all_closed.wait(), GRACE_SECONDS)
        for connection in list(self._connections.open):
            connection.cut("end")

    async def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cuts off slow clients, and reports."""
        while True:
            self._connections.sweep(loop.time())
            self._app.report()
            self._metrics.set(m.COLLECT_CONNECTIONS, len(self._connections.open))
            for cause, count in self._connections.cuts.items():
                self._metrics.add(m.COLLECT_CUT, count - self._reported.get(cause, 0), cause)
            self._reported = dict(self._connections.cuts)
            await asyncio.sleep(SWEEP_SECONDS)


def _tls(listening: Listening) -> ssl.SSLContext | None:
    if not listening.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(listening.tls_cert, listening.tls_key or None)
    except OSError as error:
        message = f"the certificate cannot be used: {error}; see STITCHLINE_COLLECT_TLS_CERT"
        raise CollectAddressError(message) from error
    return context


def _affordable(limits: ConnectionLimits) -> ConnectionLimits:
    """Returns the limits with no more connections than the process may open files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    affordable = max(64, files - RESERVED_DESCRIPTORS)
    return structs.replace(limits, max_connections=min(limits.max_connections, affordable))
