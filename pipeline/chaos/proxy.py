"""A TCP proxy between workers and broker that loses connections or falls silent."""

import asyncio
import contextlib
import threading
from typing import Self

from pipeline.local.ports import LOOPBACK

CHUNK_BYTES = 1 << 16
STOP_SECONDS = 5.0


class Proxy:
    """Passes bytes between its own port and a target port, in a thread of its own. A context manager."""

    def __init__(self, port: int, target_port: int) -> None:
        self._port, self._target_port = port, target_port
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        """Not set while the proxy is silent."""
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self.passed = 0
        """Connections since the start."""

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Aborts every connection. New ones are accepted at once."""
        self._loop.call_soon_threadsafe(self._abort)

    def silence(self) -> None:
        """Passes no byte any more, and keeps every connection open."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def resume(self) -> None:
        """Passes bytes again, those that waited first."""
        self._loop.call_soon_threadsafe(self._open.set)

    async def _start(self) -> None:
        self._open.set()
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self._port)

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._open.set()
        self._abort()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.passed += 1
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            their_reader, their_writer = await asyncio.open_connection(LOOPBACK, self._target_port)
        except OSError:  # the broker is away: the client sees its connection end
            writer.transport.abort()
            return
        self._writers |= {writer, their_writer}
        try:
            await asyncio.gather(self._pass(reader, their_writer), self._pass(their_reader, writer))
        finally:
            self._writers -= {writer, their_writer}
            writer.transport.abort()
            their_writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
