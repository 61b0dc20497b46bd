"""The common form of values that a CRM stores in a form of its own: e-mail, telephone and web addresses. Pure.

HubSpot stores e-mail addresses and domains in lower case, others format telephone numbers. Such a value is still the
value that was written. The kind is recognised by the value itself, so that no names of a CRM's fields are needed.
"""

import re
from typing import Final

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_PHONE: Final = re.compile(r"\+[\d\s().\-/]{6,}")
"""Only with the country code: without it, dates and amounts have the same form."""
_WEB: Final = re.compile(r"(?:https?://)?(?:[a-z0-9-]+\.)+[a-z]{2,}/?", re.IGNORECASE)


def common_form(value: str) -> str:
    """Returns the form in which two spellings of one address are equal; any other value as it is.

    >>> common_form("Ann@Shop.Example"), common_form("+49 (30) 901-820"), common_form("https://Shop.Example/")
    ('ann@shop.example', '+4930901820', 'shop.example')
    >>> common_form("2026-11-30"), common_form("71.5"), common_form("Ann Lee")
    ('2026-11-30', '71.5', 'Ann Lee')
    """
    text = value.strip()
    if _EMAIL.fullmatch(text):
        return text.lower()
    if _PHONE.fullmatch(text):
        return "+" + re.sub(r"\D", "", text)
    if _WEB.fullmatch(text):
        return re.sub(r"^https?://", "", text.lower()).removesuffix("/")
    return value
