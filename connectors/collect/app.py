"""The ASGI application: reads a request within limits, has it admitted and kept, and writes the answer."""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

from msgspec import Struct
from msgspec.json import encode

from connectors.collect.address import TrustedProxies
from connectors.collect.admission import Admission, Admitted
from connectors.collect.body import ClientGoneError, decompressed, read_body
from connectors.collect.buffered import BufferedBytes
from connectors.collect.encode import Outgoing
from connectors.collect.origins import Headers, cross_origin_headers, preflight_headers
from connectors.collect.pages import PIXEL, PIXEL_TYPE, page
from connectors.collect.request import Answer, Refusal, Request
from connectors.collect.routes import methods_of, route_of, webhook_of
from connectors.collect.safekeeping.spool import SpoolFullError
from connectors.collect.sources import Sources
from connectors.collect.write_keys import key_in_head
from pipeline.clock import Clock, wall_clock_ms
from pipeline.obs import metrics as m
from pipeline.obs.log import logger
from pipeline.obs.metrics import Metrics

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

FULL_RETRY_SECONDS: Final = 5
"""``Retry-After`` while records cannot be kept."""
HANDSHAKE: Final = "webhook-request-origin"
"""Header of CloudEvents' abuse protection."""

log = logger(__name__)


class Keeping(Protocol):
    """The method of :class:`~connectors.collect.safekeeping.keeper.Keeper` that the application uses."""

    async def keep(self, records: Sequence[Outgoing]) -> None:
        """Returns once the records are safe; raises SpoolFullError if they cannot be kept."""
        ...


class Limits(Struct, frozen=True, kw_only=True):
    """The application's limits and its way to clients' addresses."""

    max_body_bytes: int = 2 << 20
    """Of a body, before and after decompression."""
    max_buffered_bytes: int = 256 << 20
    """Of all bodies that are being read or kept at one time."""
    proxies: TrustedProxies = TrustedProxies("")
    public_url: str = ""
    """Base URL under which vendors post, which some of them sign."""


class Collector:
    """The application. One per process."""

    def __init__(
        self,
        sources: Callable[[], Sources],
        admission: Admission,
        keeper: Keeping,
        metrics: Metrics,
        limits: Limits,
        *,
        not_ready: Callable[[], Sequence[str]] = tuple,
        access_log: bool = False,
        clock: Clock = wall_clock_ms,
    ) -> None:
        """``not_ready`` returns why the collector cannot take events; empty if it can."""
        self._sources, self._admission, self._keeper, self._metrics = sources, admission, keeper, metrics
        self._limits, self._not_ready, self._access_log, self._clock = limits, not_ready, access_log, clock
        self._buffered = BufferedBytes(limits.max_buffered_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            answer = await self._answered(scope, headers, receive)
        except ClientGoneError:
            return
        except Exception as error:
            # The client must get an answer on which it sends the events again.
            log.exception("request_failed", error_type=type(error).__name__)
            answer = refused(Refusal(500, "an error of the collector; nothing was acknowledged"))
        seconds = time.perf_counter() - began
        self._metrics.add(m.COLLECT_REQUESTS, 1, str(answer.status))
        self._metrics.observe(m.COLLECT_REQUEST_SECONDS, seconds)
        if self._access_log:
            log.info(
                "request", method=scope["method"], status=answer.status, seconds=round(seconds, 6),
                route=scope["path"] if methods_of(scope["path"]) else "other",
            )  # fmt: skip
        await _write(send, answer)

    async def _answered(self, scope: Scope, headers: Mapping[str, str], receive: Receive) -> Answer:
        peer = scope["client"][0] if scope["client"] else ""
        request = Request(
            method=scope["method"],
            path=scope["path"] if scope["raw_path"] == scope["path"].encode() else "",
            query_string=scope["query_string"].decode("latin-1"),
            headers=headers,
            received_ms=self._clock(),
            client_ip=self._limits.proxies.client_of(peer, headers.get("x-forwarded-for", "")),
        )
        try:
            return await self._respond(request, receive)
        except Refusal as refusal:
            return self._with_origin(refused(refusal), request)

    async def _respond(self, request: Request, receive: Receive) -> Answer:
        """Returns the answer to a request.

        1. Health pages, preflights, and endpoints without events.
        2. Read the body and decompress it.
        3. Admit the request and keep its records.
        """
        # 1. endpoints without events
        if request.method == "OPTIONS":
            return self._preflight(request)
        if request.path in {"/livez", "/readyz"}:
            return self._health(request.path)
        webhook = webhook_of(request.method, request.path)
        route = route_of(request.method, request.path)
        if route is None and webhook is None:
            return page(request, self._sources()) or _unknown(request)
        # 2. body
        with self._buffered.room_for(request.headers, self._limits.max_body_bytes) as room:
            received = await read_body(receive, request.headers, self._limits.max_body_bytes)
            room.shrink_to(len(received))
            encoding = request.headers.get("content-encoding", "")
            body = decompressed(received, encoding, self._limits.max_body_bytes)
            # 3. admit and keep
            complete = _with_body(request, received, body)
            if webhook is not None:
                url = self._public_url(request)
                admitted = self._admission.admit_webhook(complete, *webhook, url, damaged=body is None)
            elif route is not None:
                admitted = self._admission.admit(complete, route, damaged=body is None)
            await self._keep(admitted)
        if route is not None and route.answers_pixel:
            return Answer(200, PIXEL, PIXEL_TYPE, (*admitted.headers, (b"cache-control", b"no-store")))
        return Answer(200, admitted.result, headers=admitted.headers)

    def _public_url(self, request: Request) -> str:
        query = f"?{request.query_string}" if request.query_string else ""
        return f"{self._limits.public_url.rstrip('/')}{request.path}{query}"

    async def _keep(self, admitted: Admitted) -> None:
        try:
            await self._keeper.keep(admitted.records)
        except SpoolFullError as error:
            raise Refusal(
                503, "the events cannot be kept now; send them again", retry_after=FULL_RETRY_SECONDS
            ) from error

    def _preflight(self, request: Request) -> Answer:
        """Answers a browser's preflight, or the handshake of a CloudEvents sender that has a write key."""
        if HANDSHAKE in request.headers and request.path.rstrip("/") == "/cloudevents":
            source = self._sources().with_key(key_in_head(request))
            if source is None:
                raise Refusal(401, "a write key is needed")
            allowed = request.headers[HANDSHAKE].encode("latin-1")
            return Answer(200, headers=((b"webhook-allowed-origin", allowed), (b"webhook-allowed-rate", b"*"), _ALLOW))
        origin = request.headers.get("origin", "")
        if not origin or not self._sources().origins.allow(origin):
            raise Refusal(403, "the origin is not one of any source's origins")
        return Answer(204, headers=preflight_headers(request.headers))

    def _health(self, path: str) -> Answer:
        reasons = list(self._not_ready()) if path == "/readyz" else []
        return Answer(503 if reasons else 200, encode({"ok": not reasons, "reasons": reasons}))

    def _with_origin(self, answer: Answer, request: Request) -> Answer:
        """Adds the headers that let an allowed page read a refusal."""
        origin = request.headers.get("origin", "")
        if not origin or not self._sources().origins.allow(origin):
            return answer
        return Answer(answer.status, answer.body, answer.content_type, (*answer.headers, *cross_origin_headers(origin)))


_ALLOW: Final = (b"allow", b"POST, OPTIONS")
_ZERO: Final = (b"content-length", b"0")


def refused(refusal: Refusal) -> Answer:
    """Returns the answer of a refusal. Its text never contains a value of the request."""
    headers: Headers = ((b"retry-after", str(refusal.retry_after).encode()),) if refusal.retry_after else ()
    if refusal.status == 413:
        headers = (*headers, (b"connection", b"close"))  # the rest of the body is not read
    return Answer(refusal.status, encode({"success": False, "error": refusal.reason}), headers=headers)


def _with_body(request: Request, received: bytes, body: bytes | None) -> Request:
    return Request(
        request.method, request.path, request.query_string, request.headers, received if body is None else body,
        received, request.received_ms, request.client_ip,
    )  # fmt: skip


def _unknown(request: Request) -> Answer:
    methods = methods_of(request.path)
    if methods:
        answer = refused(Refusal(405, f"this path takes {' and '.join(methods)}"))
        return Answer(answer.status, answer.body, headers=((b"allow", ", ".join(methods).encode()),))
    return refused(Refusal(404, "there is no such endpoint"))


async def _write(send: Send, answer: Answer) -> None:
    length = _ZERO if not answer.body else (b"content-length", str(len(answer.body)).encode())
    head = (
        [length, (b"content-type", answer.content_type.encode()), *answer.headers]
        if answer.status != 204
        else [*answer.headers]
    )
    await send({"type": "http.response.start", "status": answer.status, "headers": head})
    await send({"type": "http.response.body", "body": answer.body})
