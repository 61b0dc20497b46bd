"""A small read-only HTTP/1.1 server with limits on connections, bytes and time.

Uses at most about ``MAX_CONNECTIONS`` descriptors. Closes a connection whose request does not arrive within
``READ_SECONDS``. At the limit, a new connection replaces the one that has waited longest for its request, so that
half-open connections cannot block a health check. Returns 400 for a malformed request.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

READ_SECONDS: Final = 5.0
WRITE_SECONDS: Final = 10.0
MAX_CONNECTIONS: Final = 32
MAX_HEAD_BYTES: Final = 16 << 10
REQUEST_PARTS: Final = 3
QUEUED_CONNECTIONS: Final = 128
"""Connections that the kernel queues until they are accepted."""
ACCEPTED_AT_ONCE: Final = 8
"""Connections that asyncio accepts before the first is counted; ``MAX_CONNECTIONS`` may be exceeded by as many."""
PHRASES: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


class Request(NamedTuple):
    """A request without a body. The names in ``headers`` are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


class Page(NamedTuple):
    """A response."""

    body: bytes
    content_type: str
    status: int = 200


class MalformedRequestError(ValueError):
    """The bytes are not the head of an HTTP request."""


Handler: TypeAlias = Callable[[Request], Page]
"""Returns the page of a request. Must be fast and must not block."""


class HttpDoor:
    """Serves ``pages`` by path on the running event loop, one request per connection."""

    def __init__(
        self,
        pages: Mapping[str, Handler],
        *,
        read_seconds: float = READ_SECONDS,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._pages, self._read_seconds, self._max = pages, read_seconds, max_connections
        self._waiting: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        """Connections whose request has not arrived, the oldest first."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Starts listening. Returns the port; 0 chooses a free one. Raises OSError if the address is not available."""
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._server = await asyncio.start_server(
            self._accept, sock=listener, limit=MAX_HEAD_BYTES, backlog=ACCEPTED_AT_ONCE
        )
        listener.listen(
            QUEUED_CONNECTIONS
        )  # start_server uses `backlog` for this queue and for connections accepted at once
        return int(listener.getsockname()[1])

    async def stop(self, grace_seconds: float = 1.0) -> None:
        """Stops listening. Cancels open requests after ``grace_seconds``. Does nothing if not started."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for task in self._waiting.values():
            task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= self._max:
            self._make_room()
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        self._waiting[writer] = task
        task.add_done_callback(self._tasks.discard)

    def _make_room(self) -> None:
        """Aborts the connection that has waited longest for its request, without a response."""
        for writer, task in self._waiting.items():
            writer.transport.abort()
            task.cancel()
            self._tasks.discard(task)
            del self._waiting[writer]
            return

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._read_seconds):
                head = await reader.readuntil(b"\r\n\r\n")
            self._waiting.pop(writer, None)
            await self._answer(writer, self._page(head))
        except asyncio.LimitOverrunError:
            await self._answer(writer, _text(400, "the head of the request is too long"))
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client is slow, gone or was replaced: no response, no log line
        finally:
            self._waiting.pop(writer, None)
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    def _page(self, head: bytes) -> Page:
        try:
            request = parse_head(head)
        except MalformedRequestError as error:
            return _text(400, str(error))
        handler = self._pages.get(request.path)
        if handler is None:
            return _text(404, f"the pages are {', '.join(self._pages)}")
        if request.method not in {"GET", "HEAD"}:
            return _text(405, "pages are read with GET")
        page = handler(request)
        return page._replace(body=b"") if request.method == "HEAD" else page

    async def _answer(self, writer: asyncio.StreamWriter, page: Page) -> None:
        head = (
            f"HTTP/1.1 {page.status} {PHRASES[page.status]}\r\nContent-Type: {page.content_type}\r\n"
            f"Content-Length: {len(page.body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode("latin-1") + page.body)
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(WRITE_SECONDS):
                await writer.drain()
                writer.close()
                await writer.wait_closed()


def parse_head(head: bytes) -> Request:
    """Returns the request of a head that ends with an empty line.

    Raises:
        MalformedRequestError: The bytes are not HTTP, for example a TLS handshake.
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != REQUEST_PARTS or not parts[0].isalpha() or not parts[2].startswith("HTTP/1."):
        message = "the first line is not one of HTTP/1.1"
        raise MalformedRequestError(message)
    headers: dict[str, str] = {}
    for line in filter(None, lines):
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            message = "a header line is malformed"
            raise MalformedRequestError(message)
        headers[name.lower()] = value.strip()
    return Request(parts[0].upper(), parts[1].partition("?")[0], headers)


def _text(status: int, text: str) -> Page:
    return Page(f"{text}\n".encode(), "text/plain; charset=utf-8", status)
