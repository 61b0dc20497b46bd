"""Page URLs: the canonical form, the campaign parameters and the ad click ids.

>>> read = PageUrls(("gclid",)).read("HTTPS://Shop.example:443?utm_source=news&gclid=Cj0&size=42#top")
>>> read.url, read.campaign, read.click_ids
('https://shop.example/?size=42', {'source': 'news'}, ('Cj0',))
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, unquote_plus, urlsplit, urlunsplit

from msgspec import Struct

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
MAX_REMEMBERED: Final = 1 << 15
_NAMES_REMEMBERED: Final = 1 << 10
_UTM: Final = "utm_"
_USUAL: Final = re.compile(r"(https?://[a-z0-9.-]+)(/[!-~]*)?", re.ASCII)
"""Web addresses that are canonical but for their query: lower case, and neither log-in nor port nor spaces. With a
fragment, they are read by :meth:`PageUrls._read_unusual`."""


class PageUrl(Struct, frozen=True):
    """The parts of a page's URL. ``campaign`` is shared by all events with this URL: copy it before changing it."""

    url: str
    campaign: dict[str, str]
    """``utm_campaign`` under ``name``, every other ``utm_x`` under ``x``."""
    click_ids: tuple[str, ...]


class PageUrls:
    """Parses URLs and caches the results, because most events are about the same pages."""

    def __init__(self, click_id_parameters: Iterable[str], remembered: int = MAX_REMEMBERED) -> None:
        """``remembered`` is the number of URLs that are cached, at most ``MAX_REMEMBERED``."""
        self._click_ids = frozenset(name.lower() for name in click_id_parameters)
        self.read: Callable[[str], PageUrl] = lru_cache(min(remembered, MAX_REMEMBERED))(self._read)
        """Returns the parts of a URL."""
        self._key: Callable[[str], str] = lru_cache(_NAMES_REMEMBERED)(self._key_of)

    def _read(self, url: str) -> PageUrl:
        """Returns the same as :meth:`_read_unusual`, for most URLs without a call to urllib."""
        address, _, query = url.partition("?")
        usual = None if "#" in url else _USUAL.fullmatch(address)
        if usual is None or " " in query or not (query.isascii() and query.isprintable()):
            return self._read_unusual(url)
        campaign: dict[str, str] = {}
        click_ids: list[str] = []
        canonical = address if usual[2] else f"{address}/"
        if query:
            query = self._strip(query, campaign, click_ids)
        return PageUrl(f"{canonical}?{query}" if query else canonical, campaign, tuple(filter(None, click_ids)))

    def _read_unusual(self, url: str) -> PageUrl:
        """Returns the URL with scheme and host in lower case, without default port, log-in and in-page fragment.

        Campaign and click parameters are removed from query and fragment, so that a page has one URL whichever ad or
        link led to it. Text that is not a web address is returned unchanged.
        """
        try:
            parts = urlsplit(url.strip())
            host = _host(parts)
        except ValueError:
            return PageUrl(url, {}, ())
        if not host:
            return PageUrl(url, {}, ())
        campaign: dict[str, str] = {}
        click_ids: list[str] = []
        query = self._strip(parts.query, campaign, click_ids)
        fragment = parts.fragment
        if fragment.startswith(("/", "!")):  # the route of a single-page application, which may have a query of its own
            route, _, inner = fragment.partition("?")
            inner = self._strip(inner, campaign, click_ids)
            fragment = f"{route}?{inner}" if inner else route
        else:
            self._strip(fragment.removeprefix("?"), campaign, click_ids)
            fragment = ""
        canonical = urlunsplit((parts.scheme, host, parts.path or "/", query, fragment))
        return PageUrl(canonical, campaign, tuple(filter(None, click_ids)))

    def _strip(self, query: str, campaign: dict[str, str], click_ids: list[str]) -> str:
        """Returns the query without campaign and click parameters; adds those to ``campaign`` and ``click_ids``."""
        kept: list[str] = []
        for part in query.split("&"):
            name, _, value = part.partition("=")
            key = self._key(name)
            if not key:
                kept.append(part)
            elif key.startswith(_UTM):
                if value := unquote_plus(value).strip():
                    campaign.setdefault("name" if key == "utm_campaign" else key.removeprefix(_UTM), value)
            else:
                click_ids.append(unquote_plus(value).strip())
        return "&".join(kept)

    def _key_of(self, name: str) -> str:
        """Returns a parameter's decoded name in lower case if it is one of a campaign or click, else ""."""
        key = unquote_plus(name).lower()
        return key if key.startswith(_UTM) or key in self._click_ids else ""


def _host(parts: SplitResult) -> str:
    """Returns host and port of a web address, "" for any other address. Raises ValueError if the port is no number."""
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port
    return host if port is None or port == _DEFAULT_PORTS[parts.scheme] else f"{host}:{port}"
