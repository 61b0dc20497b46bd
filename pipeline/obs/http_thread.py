"""Serves a process's pages in a thread of their own, so that they answer while the process waits for Kafka or a CRM."""

import asyncio
from collections.abc import Coroutine
from threading import Thread
from types import TracebackType
from typing import Any, Final, Self

from pipeline.obs.http import HealthServer

REQUEST_SECONDS: Final = 10.0
"""Time limit for starting and stopping the server."""


class HealthThread:
    """Runs a :class:`~pipeline.obs.http.HealthServer` on an event loop in a thread. Its checks are called there.

    Use :meth:`start` and :meth:`stop`, or a context manager.
    """

    def __init__(self, server: HealthServer) -> None:
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="health-pages", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts listening. Raises AddressError if the address is taken or not available."""
        self._thread.start()
        try:
            self._run(self._server.start())
        except BaseException:
            self._end()
            raise

    def stop(self) -> None:
        """Stops listening and ends the thread. Does nothing if it does not run."""
        if self._thread.is_alive():
            self._run(self._server.stop())
            self._end()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(REQUEST_SECONDS)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
