"""Amounts as text with a currency mark: ``$1,299.00``, ``1.299,00 €``, ``CHF 1'299.00``, ``(5.00)``.

>>> read_money("1.299,00 \u20ac"), read_money("-R$5"), read_money("blue")
(MoneyText(number=Decimal('1299.00'), currencies=('EUR',)), MoneyText(number=Decimal('-5'), currencies=('BRL',)), None)
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from pipeline.event.money import exponent
from pipeline.event.number_text import MAX_CHARS, read_number

_DOLLARS: Final = (
    "USD",
    "CAD",
    "AUD",
    "NZD",
    "SGD",
    "HKD",
    "MXN",
    "ARS",
    "CLP",
    "COP",
    "TWD",
    "BSD",
    "BBD",
    "JMD",
    "TTD",
)
_MARKS: Final[dict[str, tuple[str, ...]]] = {
    "$": _DOLLARS, "us$": ("USD",), "c$": ("CAD",), "ca$": ("CAD",), "a$": ("AUD",), "au$": ("AUD",), "nz$": ("NZD",),
    "s$": ("SGD",), "hk$": ("HKD",), "mx$": ("MXN",), "r$": ("BRL",), "€": ("EUR",), "£": ("GBP", "EGP", "GIP", "FKP"),
    "¥": ("JPY", "CNY"), "₹": ("INR",), "rs": ("INR", "PKR", "LKR", "NPR", "MUR"), "₽": ("RUB",), "₩": ("KRW",),
    "₺": ("TRY",), "₴": ("UAH",), "₪": ("ILS",), "฿": ("THB",), "₫": ("VND",), "₦": ("NGN",), "₱": ("PHP",),
    "zł": ("PLN",), "kč": ("CZK",), "ft": ("HUF",), "kr": ("SEK", "NOK", "DKK", "ISK"), "fr": ("CHF",),
    "sfr": ("CHF",),
}  # fmt: skip
"""Currency marks in lower case, with the currencies that each may stand for, the most common first."""
_MARK: Final = r"[^\W\d_]{0,3}[$€£¥₹₽₩₺₴₪฿₫₦₱]|[^\W\d_]{2,3}\.?"
_MONEY: Final = re.compile(
    rf"(?P<open>\()?(?P<sign>[+\-\u2212]?)\s*(?P<before>{_MARK})?\s*(?P<inner>[+\-\u2212]?)"
    r"(?P<number>[0-9.,][0-9.,\s'\u2019]*?)\s*(?P<minus>-?)(?P<close>\))?"
    rf"\s*(?P<after>{_MARK})?(?P<last>\))?"
)


class MoneyText(NamedTuple):
    """The result of reading a text that looks like money."""

    number: Decimal | None
    """None if the number is ambiguous or cannot be read."""
    currencies: tuple[str, ...]
    """Currencies that the mark may stand for, the most common first; empty without a mark."""


@lru_cache(maxsize=1 << 14)
def read_money(text: str) -> MoneyText | None:
    """Returns the amount in a text; None if the text contains more than digits, signs and a currency mark."""
    result = _MONEY.fullmatch(text.strip()) if len(text) <= MAX_CHARS else None
    if result is None:
        plain = read_number(text)
        return None if plain is None else MoneyText(plain, ())
    if not any(character.isdigit() for character in result["number"]):
        return None
    currencies: tuple[str, ...] = ()
    for mark in (result["before"], result["after"]):
        if mark:
            meant = _currencies(mark)
            if not meant or currencies:
                return None
            currencies = meant
    number = read_number(result["number"])
    signs = [result["sign"], result["inner"], result["minus"], result["open"] or ""]
    if number is None or sum(map(bool, signs)) > 1 or bool(result["open"]) != bool(result["close"] or result["last"]):
        return MoneyText(None, currencies)
    negative = any(sign in {"-", "\u2212", "("} for sign in signs)
    return MoneyText(-number if negative else number, currencies)


def _currencies(mark: str) -> tuple[str, ...]:
    code = mark.upper()
    return (code,) if exponent(code) is not None else _MARKS.get(mark.lower().rstrip("."), ())
