"""Numbers in text."""

from decimal import Decimal
from typing import Any

import pytest

from pipeline.event.number_text import number_of, read_number, read_with


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", "42"), (" -4.5 ", "-4.5"), (".5", "0.5"), ("1e-2", "0.01"),
        ("1.299,00", "1299.00"), ("1,299.00", "1299.00"), ("1'299'000", "1299000"), ("1 299 000,5", "1299000.5"),
        ("19,99", "19.99"), ("0,125", "0.125"), ("-0,125", "-0.125"),
        ("1,299,000", "1299000"), ("1.299.000", "1299000"), ("12,34,567.89", "1234567.89"), ("1,00,000", "100000"),
    ],
)  # fmt: skip
def test_an_unambiguous_number_is_read_exactly(text: str, number: str) -> None:
    assert read_number(text) == Decimal(number)


@pytest.mark.parametrize("text", ["1,299", "1,299,", "1.299.00", "1,299,000,5", "1,2,3", "five", "", "0x10", "1" * 41])
def test_an_ambiguous_text_or_none_is_not_a_number(text: str) -> None:
    assert read_number(text) is None


def test_an_exponent_beyond_decimal_is_not_a_number() -> None:
    assert read_number("1e" + "9" * 30) is None


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3), (2.5, 2.5), ("3", 3), ("3.0", 3), ("1.299,50", 1299.5), ("1e30", 10**30), ("1e60", 1e60),
        (True, None), (None, None), ([1], None), ("three", None),
    ],
)  # fmt: skip
def test_a_json_value_becomes_a_number_of_its_own_type(value: Any, number: float | None) -> None:
    result = number_of(value)
    assert (result, type(result)) == (number, type(number))


@pytest.mark.parametrize(
    ("text", "point", "number"),
    [
        ("1,299", ".", "1299"), ("1,299", ",", "1.299"), ("1.299,5", ",", "1299.5"), ("-1 299,5", ",", "-1299.5"),
        ("12", ",", "12"), ("12,99", ".", None), ("1.2.3", ",", None), ("1,5x", ",", None), ("", ".", None),
    ],
)  # fmt: skip
def test_a_declared_decimal_sign_decides_the_reading(text: str, point: str, number: str | None) -> None:
    assert read_with(text, point) == (None if number is None else Decimal(number))
