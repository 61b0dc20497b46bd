"""uvicorn's HTTP protocol with limits that uvicorn does not have: on heads, on time, and on connections.

A connection that is too slow or too large is closed. At the limit of connections, a new one replaces the one that has
waited longest for the head of its request, so that half-open connections cannot keep others out.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SWEEP_SECONDS: Final = 0.5


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """Limits of one connection, and of all."""

    max_connections: int = 4096
    max_head_bytes: int = 16 << 10
    """Of the path, the query and all headers of a request. A pixel's data are in its query."""
    max_headers: int = 100
    head_seconds: float = 10.0
    """From the first byte, or from connecting, to the end of the head."""
    body_seconds: float = 30.0
    """From the end of the head to the end of the body."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. :func:`bounded` makes the class for some limits."""

    limits = ConnectionLimits()
    cuts: dict[str, int] = {}  # noqa: RUF012  replaced by `bounded`

    is_taken = False
    head_bytes = 0
    deadline: float | None = None
    """When the head, or then the body, must be complete; None between requests and while an answer is awaited."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes a connection, or replaces the one that has waited longest for its head."""
        if len(self.connections) >= self.limits.max_connections and not self._make_room():
            self.cuts["connections"] = self.cuts.get("connections", 0) + 1
            transport.abort()
            return
        super().connection_made(transport)
        self.is_taken = True
        self.deadline = self.loop.time() + self.limits.head_seconds

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets a connection."""
        if self.is_taken:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses bytes, unless the connection was refused."""
        if self.is_taken and not self.transport.is_closing():
            super().data_received(data)

    def on_message_begin(self) -> None:
        """Starts the time of a head."""
        super().on_message_begin()
        self.head_bytes = 0
        self.deadline = self.loop.time() + self.limits.head_seconds

    def on_url(self, url: bytes) -> None:
        """Takes a part of the path."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header."""
        super().on_header(name, value)
        self._count(len(name) + len(value))
        if len(self.headers) > self.limits.max_headers:
            self.cut("head")

    def on_headers_complete(self) -> None:
        """Starts the time of a body."""
        if self.transport.is_closing():
            return
        super().on_headers_complete()
        self.deadline = self.loop.time() + self.limits.body_seconds

    def on_message_complete(self) -> None:
        """Ends the time of a body."""
        if self.cycle is not None:
            super().on_message_complete()
        self.deadline = None

    def on_body(self, body: bytes) -> None:
        """Takes a part of a body, unless the head was refused."""
        if self.cycle is not None:
            super().on_body(body)

    def cut(self, cause: str) -> None:
        """Closes the connection without an answer."""
        self.cuts[cause] = self.cuts.get(cause, 0) + 1
        self.transport.abort()

    def _count(self, size: int) -> None:
        self.head_bytes += size
        if self.head_bytes > self.limits.max_head_bytes:
            self.cut("head")

    def _make_room(self) -> bool:
        """Closes the connection that has waited longest for its head. Returns whether there was one."""
        waiting = [
            connection
            for connection in self.connections
            if isinstance(connection, BoundedProtocol) and connection.cycle is None and connection.deadline is not None
        ]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda connection: connection.deadline or 0.0)
        oldest.cut("replaced")
        self.connections.discard(oldest)
        return True


def bounded(limits: ConnectionLimits, cuts: dict[str, int]) -> type[BoundedProtocol]:
    """Returns the protocol class with these limits. It counts the connections that it cuts off in ``cuts`` by cause."""
    return type("LimitedProtocol", (BoundedProtocol,), {"limits": limits, "cuts": cuts})


async def sweep(connections: set[Any]) -> None:
    """Cuts off connections whose time is over, again and again."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        now = loop.time()
        for connection in list(connections):
            if connection.deadline is not None and connection.deadline < now:
                connection.cut("slow")
