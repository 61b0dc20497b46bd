"""Ratios: quotients of two aggregates over their common windows, such as an open rate."""

from collections.abc import Mapping
from typing import Any

from pipeline.profile.rules import AggregateRules, Ratio


class RatioReader:
    """Computes one ratio from aggregate values: ``{window: value}``, by currency if either aggregate is money.

    A value is None if the divisor is 0 or missing.
    """

    def __init__(self, rule: Ratio, rules: AggregateRules) -> None:
        windows = {rule_.name: rule_.windows for rule_ in rules.aggregates}
        self.name = rule.name
        self.windows = tuple(label for label in windows[rule.of] if label in windows[rule.to])
        self._of, self._to = rule.of, rule.to

    def read(self, aggregates: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Returns the value of every window. ``aggregates``: the values of the same rules' aggregates."""
        of, to = aggregates[self._of], aggregates[self._to]
        return {label: _quotient(of[label], to[label]) for label in self.windows}


def _quotient(of: Any, to: Any) -> Any:
    if not isinstance(of, Mapping) and not isinstance(to, Mapping):
        return of / to if to else None
    currencies = sorted({currency for side in (of, to) if isinstance(side, Mapping) for currency in side})
    return {currency: _quotient(_of_currency(of, currency), _of_currency(to, currency)) for currency in currencies}


def _of_currency(side: Any, currency: str) -> Any:
    return side.get(currency, 0) if isinstance(side, Mapping) else side


def ratio_readers(rules: AggregateRules) -> tuple[RatioReader, ...]:
    """Returns a reader for every ratio of the rules."""
    return tuple(RatioReader(ratio, rules) for ratio in rules.ratios)
