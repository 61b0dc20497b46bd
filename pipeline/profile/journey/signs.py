"""Signs of a marketing touch: a campaign, an ad's click id, a referrer that is another site, the channel ads."""

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
_REMEMBERED: Final = 1 << 13


def sign_of(rules: AttributionRules) -> Test | None:
    """Returns the test for touches of channels other than ads; None if the rules name no sign for them."""
    # The test runs for every touch: it checks keys before it calls functions, and first one letter of an identifier.
    campaign, click, referrer = ("campaign" in rules.touches, "click_id" in rules.touches, "referrer" in rules.touches)
    referrer_host = referrer_of(rules.own_hosts)

    def signed(touch: Touch) -> bool:
        context = touch.context
        if campaign and ("campaign" in touch.properties or "campaign" in context) and campaign_of(touch):
            return True
        if campaign and "campaign" in context and campaign_part(touch, "source"):
            return True
        if referrer:
            page = context.get("page")
            may_refer = (type(page) is dict and "referrer" in page) or touch.type == "page"
            if may_refer and referrer_host(touch):
                return True
        if click:
            for identifier in touch.identifiers:
                if identifier[0] == "c" and identifier.startswith(_CLICK):
                    return True
        return False

    return signed if campaign or click or referrer else None


def campaign_of(touch: Touch) -> str:
    """Returns the campaign's name from the context, else from the properties, else ""."""
    campaign = touch.context.get("campaign")
    name = text_of(campaign.get("name")) if type(campaign) is dict else ""
    return name or text_of(touch.properties.get("campaign"))


def campaign_part(touch: Touch, part: str) -> str:
    """Returns ``source`` or ``medium`` of the campaign, or ""."""
    campaign = touch.context.get("campaign")
    return text_of(campaign[part]) if type(campaign) is dict and part in campaign else ""


def click_of(touch: Touch) -> str:
    """Returns the first click id of an ad, or ""."""
    for identifier in touch.identifiers:
        if identifier.startswith(_CLICK):
            return value_of(identifier)
    return ""


def referrer_of(own_hosts: tuple[str, ...]) -> Callable[[Touch], str]:
    """Returns a function for a touch's referring host; "" for the page's own host and hosts in ``own_hosts``."""

    @lru_cache(maxsize=_REMEMBERED)
    def foreign(referrer: str, page_host: str) -> str:
        host = host_of(referrer)
        if not host or host == page_host:
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
        return foreign(referrer, host_of(url) if type(url) is str else "")

    return read


def host_of(url: str) -> str:
    """Returns the host of a URL in lower case, without port, log-in and ``www.``; "" if it has none.

    >>> host_of("https://me@www.Example.org:443/a?b"), host_of("/a")
    ('example.org', '')
    """
    authority = url.partition("://")[2].replace("?", "/").replace("#", "/").partition("/")[0]
    return authority.rpartition("@")[2].partition(":")[0].lower().removeprefix("www.")
