"""Signs that a touch is marketing's: a campaign, an ad's click id, a referrer that is another site, the channel ads."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from pipeline.event.identifier import value_of
from pipeline.profile.filter import Test
from pipeline.profile.journey.lines import text_of
from pipeline.profile.journey.rules import AttributionRules
from pipeline.profile.messages import Touch

ADS: Final = "ads"
_CLICK: Final = "click_id:"
_CLICK_LENGTH: Final = len(_CLICK)
_REMEMBERED: Final = 1 << 13


def signs_of(rules: AttributionRules) -> tuple[Test, ...]:
    """The tests of which a touch, of another channel than ads, must pass one. The cheapest first."""
    referrer = referrer_of(rules.own_hosts)
    known: dict[str, Test] = {
        "campaign": _has_campaign,
        "click_id": lambda touch: bool(click_of(touch)),
        "referrer": lambda touch: bool(referrer(touch)),
    }
    return tuple(known[sign] for sign in known if sign in rules.touches)


def _has_campaign(touch: Touch) -> bool:
    return ("campaign" in touch.context or "campaign" in touch.properties) and bool(campaign_of(touch))


def campaign_of(touch: Touch) -> str:
    """The campaign's name: what the context says, else what the properties do; "" without one."""
    campaign = touch.context.get("campaign")
    name = text_of(campaign.get("name")) if type(campaign) is dict else ""
    return name or text_of(touch.properties.get("campaign"))


def campaign_part(touch: Touch, part: str) -> str:
    """``source`` or ``medium`` of the campaign, or ""."""
    campaign = touch.context.get("campaign")
    return text_of(campaign.get(part)) if type(campaign) is dict else ""


def click_of(touch: Touch) -> str:
    """The first click id of an ad, or ""."""
    for identifier in touch.identifiers:
        if identifier[:_CLICK_LENGTH] == _CLICK:
            return value_of(identifier)
    return ""


def referrer_of(own_hosts: tuple[str, ...]) -> Callable[[Touch], str]:
    """The host that a touch came from, if it is another than the page's own and none of yours; else ""."""

    @lru_cache(maxsize=_REMEMBERED)
    def foreign(referrer: str, url: str) -> str:
        host = host_of(referrer)
        if not host or host == host_of(url):
            return ""
        return "" if any(host == own or host.endswith(f".{own}") for own in own_hosts) else text_of(host)

    def read(touch: Touch) -> str:
        page: Any = touch.context.get("page")
        if type(page) is not dict or "referrer" not in page:
            if touch.type != "page":
                return ""
            page = touch.properties
        referrer, url = page.get("referrer"), page.get("url")
        if not referrer or type(referrer) is not str:
            return ""
        return foreign(referrer, url if type(url) is str else "")

    return read


def host_of(url: str) -> str:
    """The host of a URL in lower case, without port, log-in and ``www.``; "" if it has none.

    >>> host_of("https://me@www.Example.org:443/a?b"), host_of("/a")
    ('example.org', '')
    """
    authority = url.partition("://")[2].replace("?", "/").replace("#", "/").partition("/")[0]
    return authority.rpartition("@")[2].partition(":")[0].lower().removeprefix("www.")
