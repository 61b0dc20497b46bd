"""Decides about one request: which source it is from, whether it may come in, and what becomes of each of its items."""

import hmac
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.json import encode

from connectors.collect.dialects.parsed import Item, Parsed, unreadable
from connectors.collect.encode import Origin, Outgoing, RecordEncoder
from connectors.collect.origins import Headers, cross_origin_headers
from connectors.collect.request import Refusal, Request
from connectors.collect.request_counts import ACCEPTED, BOT, IGNORED, SAMPLED, SUPPRESSED, RequestCounts
from connectors.collect.routes import Route
from connectors.collect.sources import LiveSource, Sources
from connectors.collect.stamp import Stamp
from connectors.collect.webhooks.look_up import MetaLeads
from connectors.collect.webhooks.meta import challenge_of
from connectors.collect.webhooks.vendors import VENDORS
from connectors.collect.write_keys import key_in_head
from pipeline.event.result import Drop, Rejected
from pipeline.rules.sources import Dialect

DAMAGED: Final = "the compressed body is damaged"
_ALL_ACCEPTED: Final = b'{"success":true,"accepted":%d,"rejected":[]}'


class _Bad(NamedTuple):
    """An item that is quarantined."""

    place: int
    """Its index in the request."""
    item: Item
    why: Rejected


class Admitted(Struct, frozen=True):
    """A request that may come in: the records to keep before it is acknowledged, and the answer's content."""

    source: LiveSource
    records: list[Outgoing]
    result: bytes
    """The outcome of every item, as JSON."""
    headers: Headers = ()


class Delivery(Struct, frozen=True):
    """A webhook's delivery whose origin is proved."""

    source: LiveSource
    vendor: str
    parsed: Parsed

    @property
    def look_up(self) -> MetaLeads | None:
        """Returns what completes the delivery, or None if it is complete."""
        return self.source.look_ups.get(self.vendor) if self.parsed.items else None


class Admission:
    """Admits requests by the sources in force."""

    def __init__(self, sources: Callable[[], Sources], encoder: RecordEncoder, counts: RequestCounts) -> None:
        """``sources`` returns the sources in force, which may change between requests."""
        self._sources = sources
        self._encoder = encoder
        self._counts = counts

    def admit(self, request: Request, route: Route, *, damaged: bool = False) -> Admitted:
        """Returns what to keep and to answer. ``damaged``: the body could not be decompressed.

        1. Find the source by the write key in the head, else in the body.
        2. Check dialect, origin, rate and daily cap.
        3. Stamp, accept and encode each item. A bad item becomes a record of the DLQ.

        Raises:
            Refusal: 401 unknown key, 403 dialect or origin not allowed, 429 over the rate or the cap.
        """
        # 1. source
        parsed = unreadable(request.body, DAMAGED) if damaged else None
        key = key_in_head(request)
        if not key and parsed is None:
            parsed = route.parse(request)
            key = parsed.key
        source = self._sources().with_key(key)
        if source is None:
            raise Refusal(401, "no source has this write key" if key else "a write key is needed")
        # 2. checks
        dialect = _dialect(source, route.dialects)
        headers = check_origin(source, request)
        check_limits(source, request.received_ms)
        # 3. items
        parsed = parsed or route.parse(request)
        return self.take(request, source, dialect, parsed, headers)

    def deliver(self, request: Request, vendor: str, name: str, url: str, *, damaged: bool = False) -> Delivery:
        """Returns a delivery to ``/webhooks/VENDOR/SOURCE`` that may come in.

        ``url`` is the public URL of the endpoint, which some vendors sign. ``damaged`` as in :meth:`admit`.

        Raises:
            Refusal: 401 no such source or vendor, or no proof of origin; 429 over the rate or the cap.
        """
        source = self._sources().named(name)
        secrets = source.secrets_of(vendor) if source is not None else ()
        webhook = next((known for key, known in VENDORS.items() if key == vendor), None)
        if source is None or webhook is None or not secrets:
            raise Refusal(401, "no source of this name takes this vendor's webhooks")
        if problem := webhook.prove(request, secrets, url):
            raise Refusal(401, problem)
        check_limits(source, request.received_ms)
        parsed = unreadable(request.body, DAMAGED) if damaged else webhook.parse(request)
        return Delivery(source, vendor, parsed)

    def challenge(self, request: Request, vendor: str, name: str) -> str:
        """Returns what a vendor expects back that confirms its endpoint. Raises Refusal 401 without its token."""
        source = self._sources().named(name)
        token = source.verify_tokens.get(vendor) if source is not None else None
        challenge = challenge_of(request)
        stated = request.query.get("hub.verify_token", "").encode(errors="replace")
        if token is None or not challenge or not hmac.compare_digest(stated, token):
            raise Refusal(401, "the verify token is missing or wrong")
        return challenge

    def take(
        self, request: Request, source: LiveSource, dialect: str, parsed: Parsed, headers: Headers = ()
    ) -> Admitted:
        """Returns what to keep of the items of a source that may come in, and the answer's content."""
        stamp = Stamp(request, source)
        drops_bots = stamp.is_bot and source.rules.bots == "drop"
        keeps_all = not drops_bots and source.sample.keeps_all
        records: list[Outgoing] = []
        bad: list[_Bad] = []
        left_out = {IGNORED: parsed.ignored} if parsed.ignored else {}
        for index, item in enumerate(parsed.items):
            document = item.document
            if not keeps_all and isinstance(document, dict) and (drops_bots or not source.sample.keeps(document)):
                outcome = BOT if drops_bots else SAMPLED
                left_out[outcome] = left_out.get(outcome, 0) + 1
                continue
            record = self._record(item, stamp, source)
            if isinstance(record, Outgoing):
                records.append(record)
            elif isinstance(record, Drop):
                left_out[SUPPRESSED] = left_out.get(SUPPRESSED, 0) + 1
            else:
                bad.append(_Bad(index, item, record))
        accepted = len(records)
        source.rate.take(len(parsed.items))
        source.cap.take(accepted + len(bad))
        if accepted:
            self._counts.events(accepted, source.name, dialect, ACCEPTED)
        if not bad and not left_out:
            return Admitted(source, records, _ALL_ACCEPTED % accepted, headers)
        for outcome, number in left_out.items():
            self._counts.events(number, source.name, dialect, outcome)
        records += self._quarantined(bad, Origin(source.name, dialect, request.received_ms))
        return Admitted(source, records, _result(accepted, bad, left_out), headers)

    def _quarantined(self, bad: list[_Bad], origin: Origin) -> Iterator[Outgoing]:
        """Yields the DLQ records of rejected items, and counts them."""
        identities: Counter[bytes] = Counter()
        for _, item, why in bad:
            self._counts.events(1, origin.source, origin.dialect, why.reason.value)
            identity = _identity(item, origin.dialect)
            identities[identity] += 1  # equal items of one request are several
            identity = b"%d %b" % (identities[identity], identity)
            yield self._encoder.quarantined(item.raw, why, origin, identity)

    def _record(self, item: Item, stamp: Stamp, source: LiveSource) -> Outgoing | Rejected | Drop:
        document = item.document
        if isinstance(document, Rejected):
            return document
        stamp.set(document, item.raw)
        if source.plan is not None and (blocked := source.plan.apply(document)) is not None:
            return blocked
        return self._encoder.event(document, source.defaults)


def check_origin(source: LiveSource, request: Request) -> Headers:
    """Returns the cross-origin headers of the answer. Raises Refusal 403 if the page's origin is not allowed."""
    origin = request.headers.get("origin", "")
    if not origin:
        return ()
    if not source.origins.allow(origin):
        raise Refusal(403, "the origin is not one of this source's origins")
    return cross_origin_headers(origin)


def check_limits(source: LiveSource, now_ms: int) -> None:
    """Raises Refusal 429 if the source is over its rate or its daily cap."""
    wait = source.rate.wait_seconds(now_ms)
    if wait:
        raise Refusal(429, "over the rate of this source", retry_after=wait)
    wait = source.cap.wait_seconds(now_ms)
    if wait:
        raise Refusal(429, "over the daily cap of this source", retry_after=wait)


def _identity(item: Item, dialect: str) -> bytes:
    """Returns what stays the same when an item is sent again: a webhook's message id, else the item's bytes.

    Vendors write the number of the attempt into a delivery. The id that an SDK writes is no proof: bad events of an
    application under development often share one.
    """
    document = item.document
    if dialect in VENDORS and isinstance(document, dict) and isinstance(name := document.get("messageId"), str):
        return name.encode(errors="surrogatepass")
    return item.raw


def _dialect(source: LiveSource, dialects: tuple[Dialect, ...]) -> Dialect:
    for dialect in dialects:
        if dialect in source.dialects:
            return dialect
    raise Refusal(403, f"this source does not allow the dialect {dialects[0]}")


def _result(accepted: int, bad: list[_Bad], dropped: Mapping[str, int]) -> bytes:
    rejected = [{"index": place, "reason": why.reason.value, "detail": why.detail} for place, _, why in bad]
    return encode({"success": True, "accepted": accepted, "rejected": rejected, "dropped": dropped})
