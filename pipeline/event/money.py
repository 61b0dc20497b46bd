"""Money as an integer in minor units. Amounts are parsed as decimals, without float arithmetic.

>>> to_minor(19.99, 2), to_minor("0.125", 2), to_minor(500, exponent("JPY"))
(1999, 12, 500)
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from typing import Final

from pipeline.event.number_text import MAX_CHARS, read_number

MAX_MINOR: Final = 10**15
"""Larger amounts are refused, so that sums stay within 64 bits. With two decimals it is ten million million units."""

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
    """Returns the number of decimals of an ISO 4217 code in capitals; None if the currency is unknown."""
    return _EXPONENTS.get(currency)


def to_minor(value: object, decimals: int) -> int | None:
    """Returns an amount in minor units, rounded half to even; None if the value is not a number.

    Accepts integers, floats (by their shortest decimal text) and numbers in text. The result may exceed MAX_MINOR;
    the caller must check that.
    """
    if type(value) is int:
        return value * _POWERS[decimals]
    if type(value) is float or (type(value) is str and len(value) <= MAX_CHARS):
        return _from_decimal(value, decimals)
    return None


@lru_cache(maxsize=1 << 14)
def _from_decimal(value: float | str, decimals: int) -> int | None:
    amount = read_number(value) if type(value) is str else Decimal(repr(value))
    return None if amount is None else minor_of(amount, decimals)


def minor_of(amount: Decimal, decimals: int) -> int | None:
    """Returns a decimal amount in minor units, rounded half to even; None if it is not finite."""
    if not amount.is_finite():
        return None
    if not amount:
        return 0
    if amount.adjusted() > 15:  # a short text such as 1e999999 would become a million digits
        return MAX_MINOR + 1 if amount > 0 else -MAX_MINOR - 1
    return int(amount.scaleb(decimals, _DECIMAL).to_integral_value(ROUND_HALF_EVEN, _DECIMAL))
