"""Money in conditions: stored by currency in minor units, written in major units."""

from collections.abc import Callable
from decimal import Decimal

from pipeline.condition.errors import MeaningError
from pipeline.condition.operand import converted
from pipeline.condition.syntax import Value
from pipeline.event.money import exponent


def currency_of(name: str, parts: tuple[str, ...], rest: str = "") -> str:
    """Returns the currency, the first of ``parts``, of a monetary value.

    ``name`` and ``rest``, the text before and after the currency, are for messages.

    Raises:
        MeaningError: the currency is missing or unknown.
    """
    if not parts:
        message = f"{name} is money, which is kept by currency"
        raise MeaningError(message, f"write {name}.EUR{rest}, for example")
    if exponent(parts[0]) is None:
        known = exponent(parts[0].upper()) is not None
        message = f"{parts[0]} is not a currency"
        raise MeaningError(message, f"write {parts[0].upper() if known else 'a code such as EUR or USD'}")
    return parts[0]


def in_minor_units(currency: str) -> Callable[[Value], int]:
    """Returns a function that converts literals from major to minor units of a known currency.

    The function raises MeaningError for a literal that is not a number, or has too many decimals.
    """
    decimals = exponent(currency)

    def convert(value: Value) -> int:
        plain = converted("number", value)
        minor = Decimal(repr(plain)).scaleb(decimals or 0)
        if minor != int(minor):
            message = f"{plain} {currency} is no amount: it has more than {decimals} decimals"
            raise MeaningError(message, "round it")
        return int(minor)

    return convert
