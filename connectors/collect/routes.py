"""Paths to what they are for. Paths match as a whole and as sent, so that no spelling of a path gets around a check."""

from typing import Final, NamedTuple

from connectors.collect.dialects import cloudevents, plain, posthog, segment, snowplow
from connectors.collect.dialects.parsed import Parse
from pipeline.event.model import TYPES
from pipeline.rules.sources import Dialect


class Route(NamedTuple):
    """An endpoint that takes events."""

    dialects: tuple[Dialect, ...]
    """The dialects that use the path. A source must allow one of them; the first one allowed names the request."""
    parse: Parse
    answers_pixel: bool = False
    """Whether the answer is an image, as a page with a pixel expects."""


_SEGMENT: Final[tuple[Dialect, ...]] = ("segment", "rudderstack")
_CALL: Final = Route(_SEGMENT, segment.parse_call)
_BATCH: Final = Route(_SEGMENT, segment.parse_batch)
_PIXEL: Final = Route(("segment",), segment.parse_pixel, answers_pixel=True)
_CAPTURE: Final = Route(("posthog",), posthog.parse)
_TRACKER: Final = Route(("snowplow",), snowplow.parse_post)

POST: Final[dict[str, Route]] = {
    **{f"/v1/{name}": _CALL for kind in TYPES for name in (kind, kind[0])},
    "/v1/batch": _BATCH,
    "/v1/b": _BATCH,
    "/v1/import": _BATCH,
    "/beacon/v1/batch": Route(("rudderstack",), segment.parse_batch),
    **{f"/api/s/{kind}": _CALL for kind in TYPES},
    **{f"/api/s/s2s/{kind}": _CALL for kind in TYPES},
    "/v1/events": Route(("json",), plain.parse),
    "/cloudevents": Route(("cloudevents",), cloudevents.parse),
    **dict.fromkeys(("/e", "/i/v0/e", "/capture", "/batch"), _CAPTURE),
    "/com.snowplowanalytics.snowplow/tp2": _TRACKER,
}
GET: Final[dict[str, Route]] = {
    **{f"/v1/pixel/{kind}": _PIXEL for kind in TYPES},
    "/i": Route(("snowplow",), snowplow.parse_get, answers_pixel=True),
}

_WEBHOOKS: Final = "/webhooks/"
CONFIRMING: Final = frozenset({"meta"})
"""Vendors that confirm an endpoint with a GET request before they post to it."""


def route_of(method: str, path: str) -> Route | None:
    """Returns the endpoint of a request, with or without a slash at the end of the path."""
    table = POST if method == "POST" else GET if method == "GET" else {}
    return table.get(path) or table.get(path.removesuffix("/"))


def webhook_of(method: str, path: str) -> tuple[str, str] | None:
    """Returns vendor and source of ``POST /webhooks/VENDOR/SOURCE``, or None for any other request.

    Also of GET for vendors that confirm an endpoint before they post to it.
    """
    if method in {"POST", "GET"} and path.startswith(_WEBHOOKS):
        vendor, slash, source = path.removeprefix(_WEBHOOKS).partition("/")
        if slash and "/" not in source and (method == "POST" or vendor in CONFIRMING):
            return vendor, source
    return None


def methods_of(path: str) -> tuple[str, ...]:
    """Returns the methods that a path has an endpoint for."""
    return tuple(name for name in ("GET", "POST") if route_of(name, path) is not None)
