import pytest

from pipeline.event.money import MAX_MINOR, exponent, to_minor


@pytest.mark.parametrize(
    ("currency", "decimals"), [("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("eur", None), ("XXX", None)]
)
def test_currencies_have_the_decimals_of_iso_4217(currency, decimals):
    assert exponent(currency) == decimals


@pytest.mark.parametrize(
    ("value", "decimals", "minor"),
    [
        (19.99, 2, 1999), (0.1 + 0.2, 2, 30), (1.1, 2, 110), (1.005, 2, 100), (1.015, 2, 102), (2.675, 2, 268),
        ("0.125", 2, 12), ("0.135", 2, 14), ("-0.125", 2, -12), (" 7.5 ", 2, 750), ("1e2", 2, 10_000), (5, 2, 500),
        ("1,50", 2, 150),
        ("1.299,00", 2, 129_900), ("1,299.00", 2, 129_900), ("1'299", 2, 129_900),
        (5, 0, 5), (5.5, 0, 6), (4.5, 0, 4), (1.2345, 3, 1234), (-3, 3, -3000), (0.0, 2, 0), (-0.0, 2, 0),
        ("0e999999", 2, 0), (1e-300, 2, 0), ("9999999999999.99", 2, 999_999_999_999_999),
    ],
)  # fmt: skip
def test_amounts_are_read_in_decimal_and_rounded_to_the_even_half(value, decimals, minor):
    assert to_minor(value, decimals) == minor


@pytest.mark.parametrize(
    "value", [None, True, "", "high", "1,500", "NaN", "Infinity", float("nan"), float("inf"), [1], {}, "1" * 41]
)
def test_what_is_not_a_number_is_none(value):
    assert to_minor(value, 2) is None


@pytest.mark.parametrize("value", [10**14, 1e300, "1e999999", "99999999999999999999"])
def test_amounts_too_large_stay_too_large_with_their_sign(value):
    assert to_minor(value, 2) > MAX_MINOR
    negative = f"-{value}" if isinstance(value, str) else -value
    assert to_minor(negative, 2) < -MAX_MINOR
