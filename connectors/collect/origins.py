"""Cross-origin requests: the origins that a source allows, and the headers that browsers expect."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]

MAX_AGE_SECONDS: Final = 7200
"""How long a browser may remember a preflight's answer; Chromium allows no more."""
_TOKENS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1024}")
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[A-Za-z0-9.:\[\]_-]{1,255}|null")


class Origins:
    """The origins of one or several sources: ``https://shop.example``, ``https://*.shop.example`` or ``*``."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._all = False
        self._exact: set[str] = set()
        self._suffixes: list[tuple[str, str]] = []
        for pattern in patterns:
            scheme, star, suffix = pattern.lower().partition("://*")
            if pattern == "*":
                self._all = True
            elif star:
                self._suffixes.append((f"{scheme}://", suffix))
            else:
                self._exact.add(pattern.lower())

    def allow(self, origin: str) -> bool:
        """Returns whether a page of this origin may send. ``null`` (a file, a sandbox) only if ``*`` is allowed."""
        if _ORIGIN.fullmatch(origin) is None:
            return False
        if self._all:
            return True
        origin = origin.lower()
        return origin in self._exact or any(
            origin.startswith(scheme) and origin.endswith(suffix) and len(origin) > len(scheme) + len(suffix)
            for scheme, suffix in self._suffixes
        )


def cross_origin_headers(origin: str) -> Headers:
    """Returns the headers that let a page of an allowed origin read the answer, with credentials."""
    return (
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    )


def preflight_headers(request_headers: Mapping[str, str]) -> Headers:
    """Returns the headers that answer a preflight of an allowed origin. Allows the headers that the page names."""
    requested = request_headers.get("access-control-request-headers", "")
    allowed = requested if _TOKENS.fullmatch(requested) else "content-type"
    return (
        *cross_origin_headers(request_headers["origin"]),
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-allow-headers", allowed.encode("latin-1")),
        (b"access-control-max-age", str(MAX_AGE_SECONDS).encode()),
    )
