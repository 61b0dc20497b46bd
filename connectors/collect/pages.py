"""The fixed answers that SDKs ask for before they send: settings, configurations, feature flags."""

from typing import Any, Final

from msgspec.json import encode

from connectors.collect.openapi import OPENAPI
from connectors.collect.origins import Headers, cross_origin_headers
from connectors.collect.request import Answer, Refusal, Request
from connectors.collect.sources import LiveSource, Sources
from connectors.collect.write_keys import key_in_head
from pipeline.rules.sources import Dialect

PIXEL: Final = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002014400 3b")
"""A transparent GIF image of one pixel."""
PIXEL_TYPE: Final = b"image/gif"
NO_FLAGS: Final[dict[str, Any]] = {
    "flags": {}, "featureFlags": {}, "featureFlagPayloads": {}, "errorsWhileComputingFlags": False,
    "config": {"enable_collect_everything": False}, "sessionRecording": False, "supportedCompression": ["gzip"],
}  # fmt: skip
"""PostHog's answer for a project without feature flags."""
POSTHOG: Final[dict[str, Any]] = {
    "supportedCompression": ["gzip", "gzip-js"], "hasFeatureFlags": False, "captureDeadClicks": False,
    "capturePerformance": False, "autocaptureExceptions": False, "analytics": {"endpoint": "/i/v0/e/"},
    "elementsChainAsString": True, "sessionRecording": False, "heatmaps": False, "surveys": False,
    "defaultIdentifiedOnly": True, "isAuthenticated": False, "siteApps": [],
}  # fmt: skip
_FLAG_PATHS: Final = frozenset({"/flags", "/decide"})


def page(request: Request, sources: Sources) -> Answer | None:
    """Returns the fixed answer of a path, or None if it has none.

    Raises:
        Refusal: 401 unknown key, 403 the page's origin or the dialect is not allowed.
    """
    path = request.path.removesuffix("/")
    if request.method == "GET" and path == "/openapi.json":
        return Answer(200, encode(OPENAPI))
    if path in _FLAG_PATHS and request.method in {"GET", "POST"}:
        return Answer(200, encode(NO_FLAGS), headers=_any_source(request, sources))
    if request.method != "GET":
        return None
    match path.split("/")[1:]:
        case ["v1", "projects", key, "settings"]:
            source, headers = _source(request, sources, key, "segment")
            return Answer(200, encode(_segment_settings(key)), headers=headers)
        case ["sourceConfig"]:
            source, headers = _source(request, sources, key_in_head(request), "rudderstack")
            return Answer(200, encode(_rudder_config(source)), headers=headers)
        case ["array", key, "config"]:
            source, headers = _source(request, sources, key, "posthog")
            return Answer(200, encode({"token": key, **POSTHOG}), headers=headers)
    return None


def _source(request: Request, sources: Sources, key: str, dialect: Dialect) -> tuple[LiveSource, Headers]:
    source = sources.with_key(key)
    if source is None:
        raise Refusal(401, "no source has this write key" if key else "a write key is needed")
    if dialect not in source.dialects:
        raise Refusal(403, f"this source does not allow the dialect {dialect}")
    origin = request.headers.get("origin", "")
    if origin and not source.origins.allow(origin):
        raise Refusal(403, "the origin is not one of this source's origins")
    return source, cross_origin_headers(origin) if origin else ()


def _any_source(request: Request, sources: Sources) -> Headers:
    origin = request.headers.get("origin", "")
    return cross_origin_headers(origin) if origin and sources.origins.allow(origin) else ()


def _segment_settings(key: str) -> dict[str, Any]:
    segment = {
        "apiKey": key,
        "unbundledIntegrations": [],
        "addBundledMetadata": True,
        "maybeBundledConfigIds": {},
        "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
    }
    return {
        "integrations": {"Segment.io": segment},
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


def _rudder_config(source: LiveSource) -> dict[str, Any]:
    off = {"enabled": False}
    return {
        "source": {
            "id": source.name,
            "name": source.name,
            "enabled": True,
            "workspaceId": source.rules.tenant,
            "config": {"statsCollection": {"errors": off, "metrics": off}},
            "connections": [],
            "destinations": [],
        }
    }
