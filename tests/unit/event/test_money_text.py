"""Amounts in text with a currency mark."""

from decimal import Decimal

import pytest

from pipeline.event.money_text import MoneyText, read_money


@pytest.mark.parametrize(
    ("text", "number", "first_currency"),
    [
        ("$1,299.00", "1299.00", "USD"),
        ("1.299,00 €", "1299.00", "EUR"),
        ("CHF 1'299.00", "1299.00", "CHF"),
        ("1299 eur", "1299", "EUR"),
        ("12 zł", "12", "PLN"),
        ("Rs. 500", "500", "INR"),
        ("¥500", "500", "JPY"),
        ("(5.00)", "-5.00", ""),
        ("($5.00)", "-5.00", "USD"),
        ("-$5", "-5", "USD"),
        ("$-5", "-5", "USD"),
        ("5-", "-5", ""),
        ("\u22125 €", "-5", "EUR"),
        ("+5", "5", ""),
        ("1e3", "1000", ""),
    ],
)
def test_an_amount_is_read_with_the_currencies_of_its_mark(text: str, number: str, first_currency: str) -> None:
    result = read_money(text)
    assert result is not None
    assert result.number == Decimal(number)
    assert next(iter(result.currencies), "") == first_currency


@pytest.mark.parametrize(
    ("text", "currencies"),
    [("1,299 €", ("EUR",)), ("(-5)", ()), ("--5", ()), ("(5", ()), ("5) €", ("EUR",)), ("$1.2.3", None)],
)
def test_an_ambiguous_amount_has_no_number(text: str, currencies: tuple[str, ...] | None) -> None:
    result = read_money(text)
    assert result is not None
    assert result.number is None
    assert currencies is None or result.currencies == currencies


@pytest.mark.parametrize("text", ["", "blue", "size 5", "5 xyz", "$5 €", "$ .", "5 euros each", "9" * 41])
def test_a_text_with_more_than_an_amount_is_not_money(text: str) -> None:
    assert read_money(text) is None


def test_a_dollar_sign_stands_for_every_dollar_the_most_common_first() -> None:
    assert read_money("$5") == MoneyText(Decimal(5), read_money("$1").currencies)
    assert {"USD", "CAD", "AUD"} < set(read_money("$5").currencies)
    assert read_money("CA$5").currencies == ("CAD",)
