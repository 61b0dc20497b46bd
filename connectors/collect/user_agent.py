"""User agents: browser, system and whether it is a crawler. Parsing is slow, so results are cached."""

from functools import lru_cache
from typing import Final

from msgspec import Struct
from ua_parser import parse

MAX_CHARS: Final = 1024
CRAWLER: Final = "Spider"
"""ua-parser's device family of crawlers."""


class UserAgent(Struct, frozen=True):
    """The parts of a user agent. Empty if it is unknown."""

    browser: dict[str, str]
    os: dict[str, str]
    is_bot: bool = False


@lru_cache(maxsize=1 << 14)
def read_user_agent(text: str) -> UserAgent:
    """Returns the parts of a user agent of at most ``MAX_CHARS`` characters."""
    parsed = parse(text[:MAX_CHARS])
    browser, system, device = parsed.user_agent, parsed.os, parsed.device
    return UserAgent(
        {"name": browser.family, "version": _version(browser.major, browser.minor)} if browser else {},
        {"name": system.family, "version": _version(system.major, system.minor)} if system else {},
        device is not None and device.family == CRAWLER,
    )


def _version(*parts: str | None) -> str:
    return ".".join(part for part in parts if part)
