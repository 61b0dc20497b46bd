"""Money in conditions: kept by currency in minor units, written in units."""

from collections.abc import Callable
from decimal import Decimal

from pipeline.condition.errors import MeaningError
from pipeline.condition.operand import converted
from pipeline.condition.syntax import Value
from pipeline.event.money import exponent


def currency_of(name: str, parts: tuple[str, ...], rest: str = "") -> str:
    """The currency that a name of money ends in, or goes on with before its ``rest``.

    Raises:
        MeaningError: there is none.
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
    """Reads literals as amounts of a currency that there is."""
    decimals = exponent(currency)

    def convert(value: Value) -> int:
        plain = converted("number", value)
        minor = Decimal(repr(plain)).scaleb(decimals or 0)
        if minor != int(minor):
            message = f"{plain} {currency} is no amount: it has more than {decimals} decimals"
            raise MeaningError(message, "round it")
        return int(minor)

    return convert
