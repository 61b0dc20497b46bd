"""What all connections share: the application that answers, the limits, and the count of those that are open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from msgspec import Struct

from connectors.collect.request import Answer, Request

if TYPE_CHECKING:
    from connectors.collect.connection import Connection

Respond: TypeAlias = Callable[[Answer], None]


class Application(Protocol):
    """What answers requests."""

    def begin(self, request: Request) -> Answer | None:
        """Called with a head. Returns the answer if the body need not be read, or None and then expects the body."""
        ...

    def give_up(self, request: Request) -> None:
        """Called instead of :meth:`handle` for a request that has begun and whose body does not come."""
        ...

    def handle(self, request: Request, body: bytes, respond: Respond) -> None:
        """Called with the whole request. Calls ``respond`` once, now or later, and raises nothing."""
        ...

    def report(self) -> None:
        """Called twice a second, to report what was counted."""
        ...


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
    max_body_bytes: int = 2 << 20


class Phase(Enum):
    """What a connection waits for."""

    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"
    """For the application."""
    NEXT = "next"
    """For a further request of a client whose requests are answered."""


BETWEEN: Final = frozenset({Phase.HEAD, Phase.NEXT})
"""Phases in which no request is lost if the connection is closed."""
GATHER_SECONDS: Final = 0.003
"""How long whole requests wait for others that arrive meanwhile."""
NEVER: Final = float("inf")
CUT_CAUSES: Final = ("head", "slow", "replaced", "connections", "end")


class Connections:
    """All connections of a server, and how many were cut off for which cause."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.open: set[Connection] = set()
        self.cuts = dict.fromkeys(CUT_CAUSES, 0)
        self.all_closed = asyncio.Event()
        """Set while no connection is open."""
        self.all_closed.set()
        self._ready: list[Connection] = []

    def enter(self, connection: Connection) -> None:
        """Notes a new connection."""
        self.open.add(connection)
        self.all_closed.clear()

    def leave(self, connection: Connection) -> None:
        """Forgets a connection."""
        self.open.discard(connection)
        if not self.open:
            self.all_closed.set()

    def answer_soon(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        """Has a connection's requests answered together with those that arrive within ``GATHER_SECONDS``.

        They are then handled one after the other, while the code that they run is in the processor's caches: reading
        the next socket in between would displace it. Their records reach the producer at one moment, so that it need
        not wait for further ones.
        """
        self._ready.append(connection)
        if len(self._ready) == 1:
            loop.call_later(GATHER_SECONDS, self._answer_ready)

    def _answer_ready(self) -> None:
        ready, self._ready = self._ready, []
        for connection in ready:
            connection.answer()

    def make_room(self) -> bool:
        """Returns whether one more fits. At the limit, closes the connection that has waited longest for its head."""
        if len(self.open) < self.limits.max_connections:
            return True
        waiting = [
            connection for connection in self.open if connection.phase in BETWEEN and connection.deadline != NEVER
        ]
        if not waiting:
            self.count("connections")
            return False
        min(waiting, key=lambda connection: connection.deadline).cut("replaced")
        return True

    def sweep(self, now: float) -> None:
        """Closes the connections whose time is over."""
        for connection in [connection for connection in self.open if connection.deadline < now]:
            connection.time_is_over()

    def count(self, cause: str) -> None:
        """Counts a connection that is cut off."""
        self.cuts[cause] += 1
