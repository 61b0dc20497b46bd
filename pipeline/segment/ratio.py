"""Operands for ratios: the quotient of two counts or sums over the same window."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any

from pipeline.condition.due import due_in_steps
from pipeline.condition.operand import Check, Kind, converted
from pipeline.condition.syntax import Value
from pipeline.event.money import exponent
from pipeline.profile.fields import AMOUNT
from pipeline.profile.rules import AggregateRule, Ratio
from pipeline.segment.aggregate import divisor_of
from pipeline.segment.facts import Facts
from pipeline.segment.money import currency_of
from pipeline.segment.operand import ProfileOperand, no_parts
from pipeline.segment.windowed import MOMENT, Windowed, window_of


def ratio(
    rule: Ratio, aggregates: Mapping[str, AggregateRule], parts: tuple[str, ...], over: str | None
) -> ProfileOperand:
    """Returns the operand of ``email_open_rate over 30 d``; with a currency if a side is money: ``order_value.EUR``.

    Raises:
        MeaningError: one of the two aggregates is not kept over the window, or the currency is missing.
    """
    of, to = aggregates[rule.of], aggregates[rule.to]
    currency = ""
    if AMOUNT in {of.field, to.field}:
        currency, parts = currency_of(rule.name, parts), parts[1:]
    no_parts(rule.name, parts, "a number")
    return RatioOperand(_Side(of, currency, over), _Side(to, currency, over))


class _Side:
    """One side of the quotient."""

    def __init__(self, rule: AggregateRule, currency: str, over: str | None) -> None:
        is_money = rule.field == AMOUNT
        self.windowed = Windowed(rule, currency if is_money else "", window_of(rule, over))
        self.decimals = exponent(currency) or 0 if is_money else 0
        self._divisor = divisor_of(rule)

    def total(self, facts: Facts) -> int:
        return sum(self.windowed.cells(facts))

    def value(self, total: int) -> Any:
        return self.windowed.of.read(total, self._divisor)


class RatioOperand:
    """A quotient, as :mod:`pipeline.profile.ratios` computes it. Money counts in minor units."""

    kind: Kind = "number"

    def __init__(self, of: _Side, to: _Side) -> None:
        self.keys = of.windowed.keys | to.windowed.keys
        self._of, self._to = of, to
        self._decimals = of.decimals - to.decimals

    def read(self, facts: Facts) -> float | None:
        """Returns the quotient; None if the divisor is 0."""
        return self._quotient(*facts.once(self, self._totals))

    def convert(self, value: Value) -> float:
        """Returns the literal's number, converted from major to minor units on each side that is money."""
        return float(Decimal(repr(converted("number", value))).scaleb(self._decimals))

    def until(self, facts: Facts, check: Check) -> int:
        """Returns the exact due time."""
        of, to = facts.once(self, self._totals)
        return due_in_steps(check.holds, self._quotient(of, to), self._changing(facts, of, to))

    def _changing(self, facts: Facts, of: int, to: int) -> Iterator[tuple[int, float | None]]:
        leaving = [(at_ms, cell, 0) for at_ms, cell in self._of.windowed.cells_until_expiry(facts)]
        leaving += [(at_ms, 0, cell) for at_ms, cell in self._to.windowed.cells_until_expiry(facts)]
        for at_ms, together in groupby(sorted(leaving), MOMENT):
            for _, of_cell, to_cell in together:
                of -= of_cell
                to -= to_cell
            yield at_ms, self._quotient(of, to)

    def _totals(self, facts: Facts) -> tuple[int, int]:
        return self._of.total(facts), self._to.total(facts)

    def _quotient(self, of: int, to: int) -> float | None:
        return float(self._of.value(of) / self._to.value(to)) if to else None
