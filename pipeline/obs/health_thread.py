"""The health pages of a process without an event loop of its own."""

import asyncio
from threading import Thread
from types import TracebackType
from typing import Final, Self

from pipeline.obs.http import HealthServer

START_SECONDS: Final = 10.0


class HealthThread:
    """Serves the pages from a thread while the context is open.

    Raises:
        AddressError: The address is taken or not available (on entering).
    """

    def __init__(self, server: HealthServer) -> None:
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="health", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result(START_SECONDS)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(START_SECONDS)
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
