"""The application: has a whole request admitted and kept, and answers it once its records are safe."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from msgspec import Struct
from msgspec.json import encode

from connectors.collect.address import TrustedProxies
from connectors.collect.admission import Admission, Admitted, Delivery
from connectors.collect.body import decompressed
from connectors.collect.buffered import BufferedBytes
from connectors.collect.connections import Respond
from connectors.collect.encode import Outgoing
from connectors.collect.origins import cross_origin_headers, preflight_headers
from connectors.collect.pages import PIXEL, PIXEL_TYPE, page
from connectors.collect.request import Answer, Refusal, Request, refused, too_large
from connectors.collect.request_counts import RequestCounts
from connectors.collect.routes import methods_of, route_of, webhook_of
from connectors.collect.safekeeping.keeper import Kept
from connectors.collect.safekeeping.spool import SpoolFullError
from connectors.collect.sources import Sources
from connectors.collect.webhooks.look_up import LookUpError, MetaLeads
from connectors.collect.write_keys import key_in_head
from pipeline.clock import Clock, wall_clock_ms
from pipeline.obs.log import logger

FULL_RETRY_SECONDS: Final = 5
"""``Retry-After`` while records cannot be kept."""
HANDSHAKE: Final = "webhook-request-origin"
"""Header of CloudEvents' abuse protection."""
DEFECT: Final = Refusal(500, "an error of the collector; nothing was acknowledged")
NOT_LOOKED_UP: Final = Refusal(503, "the leads cannot be looked up now; send them again", retry_after=60)
FULL: Final = Refusal(503, "the events cannot be kept now; send them again", retry_after=FULL_RETRY_SECONDS)

log = logger(__name__)


class Keeping(Protocol):
    """The method of :class:`~connectors.collect.safekeeping.keeper.Keeper` that the application uses."""

    def keep(self, records: Sequence[Outgoing], done: Kept) -> None:
        """Calls ``done`` once the records are safe, or with the reason why they cannot be kept."""
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
    """The application. One per process. See :class:`~connectors.collect.connection.Application`."""

    def __init__(
        self,
        sources: Callable[[], Sources],
        admission: Admission,
        keeper: Keeping,
        counts: RequestCounts,
        limits: Limits,
        *,
        not_ready: Callable[[], Sequence[str]] = tuple,
        access_log: bool = False,
        clock: Clock = wall_clock_ms,
    ) -> None:
        """``not_ready`` returns why the collector cannot take events; empty if it can."""
        self._sources, self._admission, self._keeper, self._counts = sources, admission, keeper, counts
        self._limits, self._not_ready, self._access_log, self._clock = limits, not_ready, access_log, clock
        self._completing: set[asyncio.Task[None]] = set()
        self._buffered = BufferedBytes(limits.max_buffered_bytes, limits.max_body_bytes)

    def begin(self, request: Request) -> Answer | None:
        """Reserves the room of a request. Returns the answer if its body is not to be read."""
        stated = request.stated_bytes
        try:
            if stated is not None and stated > self._limits.max_body_bytes:
                raise too_large(self._limits.max_body_bytes)
            self._buffered.reserve(request)
        except Refusal as refusal:
            answer = self._with_origin(refused(refusal), request)
            self._counts.answered(answer.status, 0.0)
            return answer
        return None

    def give_up(self, request: Request) -> None:
        """Gives back the room of a request whose body does not come."""
        self._buffered.release(request)

    def handle(self, request: Request, body: bytes, respond: Respond) -> None:
        """Answers a request, at once or when its records are safe."""
        finish = partial(self._finish, request, time.perf_counter(), respond)
        try:
            answer = self._answered(request, body, finish)
        except Refusal as refusal:
            answer = self._with_origin(refused(refusal), request)
        except Exception as error:
            # The client must get an answer on which it sends the events again.
            log.exception("request_failed", error_type=type(error).__name__)
            answer = refused(DEFECT)
        if answer is not None:
            finish(answer)

    def report(self) -> None:
        """Adds what was counted to the metrics."""
        self._counts.report()

    def _finish(self, request: Request, began: float, respond: Respond, answer: Answer) -> None:
        self._buffered.release(request)
        seconds = time.perf_counter() - began
        self._counts.answered(answer.status, seconds)
        if self._access_log:
            log.info(
                "request", method=request.method, status=answer.status, seconds=round(seconds, 6),
                route=request.path if methods_of(request.path) else "other",
            )  # fmt: skip
        respond(answer)

    def _answered(self, request: Request, received: bytes, finish: Respond) -> Answer | None:
        """Returns the answer to a request, or None if ``finish`` is called later with it.

        1. An endpoint that takes events: decompress the body, admit the request and keep its records.
        2. A webhook: the same, with its vendor's proof.
        3. Health pages, preflights, and endpoints without events.
        """
        # 1. events
        route = route_of(request.method, request.path)
        if route is not None:
            whole, damaged = self._whole(request, received)
            admitted = self._admission.admit(whole, route, damaged=damaged)
            return self._keep(request, admitted, finish, answers_pixel=route.answers_pixel)
        # 2. webhooks
        webhook = webhook_of(request.method, request.path)
        if webhook is not None:
            if request.method == "GET":
                return Answer(200, self._admission.challenge(request, *webhook).encode(), b"text/plain")
            whole, damaged = self._whole(request, received)
            return self._delivered(whole, webhook, finish, damaged=damaged)
        # 3. endpoints without events
        if request.method == "OPTIONS":
            return self._preflight(request)
        if request.path in {"/livez", "/readyz"}:
            return self._health(request.path)
        return page(request, self._sources()) or _unknown(request)

    def _delivered(
        self, request: Request, webhook: tuple[str, str], finish: Respond, *, damaged: bool
    ) -> Answer | None:
        """Keeps a webhook's delivery, which may have to be completed before."""
        delivery = self._admission.deliver(request, *webhook, self._public_url(request), damaged=damaged)
        if (look_up := delivery.look_up) is None:
            admitted = self._admission.take(request, delivery.source, delivery.vendor, delivery.parsed)
            return self._keep(request, admitted, finish)
        completing = asyncio.get_running_loop().create_task(self._completed(request, delivery, look_up, finish))
        self._completing.add(completing)
        completing.add_done_callback(self._completing.discard)
        return None

    async def _completed(self, request: Request, delivery: Delivery, look_up: MetaLeads, finish: Respond) -> None:
        """Completes a delivery and keeps it. Its sender repeats it if the look-up fails."""
        try:
            parsed = await look_up.complete(delivery.parsed)
            admitted = self._admission.take(request, delivery.source, delivery.vendor, parsed)
            answer = self._keep(request, admitted, finish)
        except LookUpError as error:
            log.warning("lead_not_looked_up", source=delivery.source.name, error=str(error))
            answer = refused(NOT_LOOKED_UP)
        except Exception as error:
            log.exception("request_failed", error_type=type(error).__name__)
            answer = refused(DEFECT)
        if answer is not None:
            finish(answer)

    def _keep(
        self, request: Request, admitted: Admitted, finish: Respond, *, answers_pixel: bool = False
    ) -> Answer | None:
        """Has records kept. Returns the answer if there are none, or None and then calls ``finish``."""
        answer = Answer(200, admitted.result, headers=admitted.headers)
        if answers_pixel:
            answer = Answer(200, PIXEL, PIXEL_TYPE, (*admitted.headers, (b"cache-control", b"no-store")))
        if not admitted.records:
            return answer
        self._keeper.keep(admitted.records, partial(self._kept, request, answer, finish))
        return None

    def _kept(self, request: Request, answer: Answer, finish: Respond, error: SpoolFullError | None) -> None:
        finish(answer if error is None else self._with_origin(refused(FULL), request))

    def _whole(self, request: Request, received: bytes) -> tuple[Request, bool]:
        """Returns the request with its body, and whether that is compressed and damaged. Raises Refusal 413 or 415."""
        headers = request.headers
        body = decompressed(received, headers.get("content-encoding", ""), self._limits.max_body_bytes)
        client_ip = self._limits.proxies.client_of(request.client_ip, headers.get("x-forwarded-for", ""))
        whole = Request(
            request.method, request.path, request.query_string, headers, received if body is None else body, received,
            self._clock(), client_ip,
        )  # fmt: skip
        return whole, body is None

    def _public_url(self, request: Request) -> str:
        query = f"?{request.query_string}" if request.query_string else ""
        return f"{self._limits.public_url.rstrip('/')}{request.path}{query}"

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


def _unknown(request: Request) -> Answer:
    methods = methods_of(request.path)
    if methods:
        answer = refused(Refusal(405, f"this path takes {' and '.join(methods)}"))
        return Answer(answer.status, answer.body, headers=((b"allow", ", ".join(methods).encode()),))
    return refused(Refusal(404, "there is no such endpoint"))
