"""One HTTP/1.1 connection: parsed by httptools, within limits on heads, bodies and time.

A request costs no task, no event and no scope: the application is called with the whole request, and calls back with
the answer. Answers keep the order of the requests. A connection that is too slow or too large is closed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import Any, Final

import httptools
from msgspec import Struct

from connectors.collect.connections import NEVER, Application, Connections, Phase
from connectors.collect.request import Answer, Refusal, Request, refused, too_large
from connectors.collect.written import written

KEEP_ALIVE_SECONDS: Final = 15.0
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_ASKS_TO_KEEP_ALIVE: Final = frozenset({"connection", "proxy-connection"})
NOT_HTTP: Final = Refusal(400, "this is not HTTP/1.1")


class _Whole(Struct):
    """A whole request, or one that is refused before it is whole."""

    request: Request
    body: bytes
    keep_alive: bool
    refusal: Answer | None = None


class Connection(asyncio.Protocol):
    """A client's connection."""

    def __init__(self, app: Application, connections: Connections, loop: asyncio.AbstractEventLoop) -> None:
        self._app, self._connections, self._limits, self._loop = app, connections, connections.limits, loop
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._peer = ""
        self.phase = Phase.HEAD
        self.deadline = NEVER
        """Loop time at which the client must have sent what it is to send; infinite while it waits for an answer."""
        self._url, self._headers, self._head_bytes, self._late_bytes = b"", dict[str, str](), 0, 0
        self._head_begins = False
        """Whether the bytes that are being parsed begin a head."""
        self._request: Request | None = None
        """The request whose body is being read."""
        self._chunks: list[bytes] = []
        self._body_bytes = 0
        self._whole: deque[_Whole] = deque()
        """Requests behind one that is being answered."""
        self._is_answering = self._goes_on = self._is_paused = False
        self._ends = False
        """Whether nothing more is read, and the connection ends with the last answer."""

    # the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the connection, unless there are too many."""
        self._transport = transport  # type: ignore[assignment]
        if not self._connections.make_room():
            self._ends = True
            self._transport.abort()
            return
        self._connections.enter(self)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if peer else ""
        self.deadline = self._loop.time() + self._limits.head_seconds

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forgets the connection. A request that is being kept is kept; those behind it are dropped."""
        self._connections.leave(self)
        self._ends = True
        self._parser = None
        dropped = [whole.request for whole in self._whole if whole.refusal is None]
        if self._request is not None:
            dropped.append(self._request)
        self._request = None
        self._whole.clear()
        for request in dropped:
            self._app.give_up(request)

    def data_received(self, data: bytes) -> None:
        """Parses bytes."""
        if self._ends:
            return
        before, self._head_begins = self.phase, False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.finish()  # another protocol would follow, which is not spoken here
        except httptools.HttpParserError:
            if not self._transport.is_closing():
                self._refuse(Request("", ""), refused(NOT_HTTP))
        phase = self.phase
        if phase is Phase.ANSWER:
            return
        if phase is Phase.HEAD and not self._head_begins:  # a header without an end is never reported
            self._late_bytes += len(data)
            if self._late_bytes > self._limits.max_head_bytes:
                self.cut("head")
        elif (phase is not before or self._head_begins) and not self._ends:
            self._wait_for(phase)

    def pause_writing(self) -> None:
        """Reads no further requests of a client that does not read its answers."""
        self._pause()

    def resume_writing(self) -> None:
        """Reads again."""
        if not self._whole:
            self._resume()

    # httptools

    def on_message_begin(self) -> None:
        """Begins a head. Its time starts behind the bytes that are being parsed, which may end it."""
        self._url, self._headers = b"", {}
        self._head_bytes = self._late_bytes = 0
        self._head_begins = True
        self.phase = Phase.HEAD

    def on_url(self, url: bytes) -> None:
        """Takes a part of the target."""
        self._url += url
        self._head_bytes += len(url)
        if self._head_bytes > self._limits.max_head_bytes:
            self.cut("head")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header."""
        headers = self._headers
        headers[name.lower().decode("latin-1")] = value.decode("latin-1")
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > self._limits.max_head_bytes or len(headers) > self._limits.max_headers:
            self.cut("head")

    def on_headers_complete(self) -> None:
        """Begins a request."""
        if self._ends or self._transport.is_closing():
            return
        path, _, query = self._target().decode("latin-1").partition("?")
        stated = self._headers.get("content-length")
        request = Request(
            self._parser.get_method().decode("latin-1"), path, query, self._headers, client_ip=self._peer,
            stated_bytes=int(stated) if stated is not None and stated.isdecimal() else None,
        )  # fmt: skip
        answer = self._app.begin(request)
        if answer is not None:
            self._refuse(request, answer)
            return
        self._request, self._body_bytes = request, 0
        self.phase = Phase.BODY
        if "expect" in self._headers and self._headers["expect"].lower() == "100-continue" and not self._is_answering:
            self._transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Takes a part of a body."""
        if self._request is None:
            return
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.max_body_bytes:
            request, self._request, self._chunks = self._request, None, []
            self._app.give_up(request)
            self._refuse(request, refused(too_large(self._limits.max_body_bytes)))
        else:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        """Takes the whole request."""
        request, self._request = self._request, None
        if request is None:
            return
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks = []
        keep_alive = self._parser.should_keep_alive()
        if keep_alive and not _ASKS_TO_KEEP_ALIVE.isdisjoint(request.headers):  # HTTP/1.0 has to ask
            keep_alive = self._parser.get_http_version() != "1.0"
        self._add(_Whole(request, body, keep_alive))

    # the end

    def cut(self, cause: str) -> None:
        """Closes the connection without an answer."""
        if self in self._connections.open:
            self._connections.leave(self)
            self._connections.count(cause)
        self.deadline, self._ends = NEVER, True
        self._transport.abort()

    def time_is_over(self) -> None:
        """Closes the connection: cuts off a slow client, ends one that sends nothing more."""
        if self.phase is not Phase.NEXT:
            self.cut("slow")
        elif self._transport.get_write_buffer_size():
            self._transport.abort()  # it does not read its answers, and close() would wait until it does
        else:
            self._transport.close()

    def finish(self) -> None:
        """Closes the connection once its whole requests are answered."""
        self._ends = True
        if not self._is_answering and not self._whole:
            self._transport.close()

    # answers

    def _refuse(self, request: Request, answer: Answer) -> None:
        """Answers without the rest of the body, after the requests before, and ends the connection."""
        self._ends = True
        self._add(_Whole(request, b"", keep_alive=False, refusal=answer))

    def _add(self, whole: _Whole) -> None:
        self.phase, self.deadline = Phase.ANSWER, NEVER
        self._whole.append(whole)
        if self._is_answering or len(self._whole) > 1:
            self._pause()
        else:
            self._connections.answer_soon(self, self._loop)

    def answer(self) -> None:
        """Has waiting requests answered until an answer is to come later."""
        if self._goes_on:
            return
        self._goes_on = True
        while self._whole and not self._is_answering and not self._transport.is_closing():
            whole = self._whole.popleft()
            self._is_answering = True
            respond = partial(self._respond, whole)
            if whole.refusal is not None:
                respond(whole.refusal)
            else:
                self._app.handle(whole.request, whole.body, respond)
        self._goes_on = False

    def _respond(self, whole: _Whole, answer: Answer) -> None:
        """Writes an answer, and goes on with the next request."""
        self._is_answering = False
        if self._transport.is_closing():
            return
        keep_alive = whole.keep_alive and not (self._ends and not self._whole)
        self._transport.write(written(answer, keep_alive=keep_alive, with_body=whole.request.method != "HEAD"))
        if not keep_alive:
            self._transport.close()
        elif self._whole:
            self.answer()
        else:
            self._wait_for(Phase.NEXT if self.phase is Phase.ANSWER else self.phase)
            self._resume()

    def _wait_for(self, phase: Phase) -> None:
        """Starts the time of a phase, unless an answer is awaited: a slow answer is not the client's fault."""
        self.phase = phase
        if self._is_answering:
            return
        limits = self._limits
        seconds = (
            limits.head_seconds if phase is Phase.HEAD
            else limits.body_seconds if phase is Phase.BODY
            else KEEP_ALIVE_SECONDS
        )  # fmt: skip
        self.deadline = self._loop.time() + seconds

    def _target(self) -> bytes:
        """Returns path and query as sent. A proxy's absolute form, http://host/path, loses its host."""
        if self._url.startswith(b"/"):
            return self._url.partition(b"#")[0]
        try:
            url = httptools.parse_url(self._url)
        except httptools.HttpParserInvalidURLError:
            return b""
        return (url.path or b"") + (b"?" + url.query if url.query else b"")

    def _pause(self) -> None:
        if not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._is_paused and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()
