"""Money as an integer of minor units. No float arithmetic: what was written in decimal is read in decimal.

>>> to_minor(19.99, 2), to_minor("0.125", 2), to_minor(500, exponent("JPY"))
(1999, 12, 500)
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from typing import Final

from pipeline.event.number_text import MAX_CHARS, read_number

MAX_MINOR: Final = 10**15
"""Ten million million units of two decimals: larger amounts are refused before sums can leave 64 bits."""

_TWO: Final = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP "
    "CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR "
    "JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN "
    "NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP "
    "SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
_OTHER: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXPONENTS: Final = dict.fromkeys(_TWO.split(), 2) | {
    code: digits for digits, codes in _OTHER.items() for code in codes.split()
}
_DECIMAL: Final = Context(prec=40, rounding=ROUND_HALF_EVEN)
_POWERS: Final = (1, 10, 100, 1000, 10_000)


def exponent(currency: str) -> int | None:
    """Decimals of an ISO 4217 currency code in capitals; None if there is no such currency."""
    return _EXPONENTS.get(currency)


def to_minor(value: object, decimals: int) -> int | None:
    """Minor units of an amount, half a unit rounded to the even one; None if it is not a number.

    Integers, floats (by their shortest decimal text) and numbers in text are numbers. The result may lie beyond
    MAX_MINOR, for the caller to refuse.
    """
    if type(value) is int:
        return value * _POWERS[decimals]
    if type(value) is float or (type(value) is str and len(value) <= MAX_CHARS):
        return _from_decimal(value, decimals)
    return None


@lru_cache(maxsize=1 << 16)
def _from_decimal(value: float | str, decimals: int) -> int | None:
    amount = read_number(value) if type(value) is str else Decimal(repr(value))
    return None if amount is None else minor_of(amount, decimals)


def minor_of(amount: Decimal, decimals: int) -> int | None:
    """Minor units of a decimal number, half a unit rounded to the even one; None if it is not finite."""
    if not amount.is_finite():
        return None
    if not amount:
        return 0
    if amount.adjusted() > 15:  # before a tiny text such as 1e999999 becomes a million digits
        return MAX_MINOR + 1 if amount > 0 else -MAX_MINOR - 1
    return int(amount.scaleb(decimals, _DECIMAL).to_integral_value(ROUND_HALF_EVEN, _DECIMAL))
