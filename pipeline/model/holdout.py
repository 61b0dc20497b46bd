"""Evaluation: fits on the history before the last days and compares the predictions for these days with the purchases.

Three predictors without a model serve as baselines:

* ``own_rate``: each customer continues at their own rate, repeat purchases divided by age;
* ``last_period``: each customer repeats the purchases of the period of equal length before the hold-out;
* ``everyone_equal``: each customer buys at the average rate of all customers.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final, NamedTuple

import numpy as np

from pipeline.model.errors import FitError
from pipeline.model.estimate import Tick, fit_bgnbd, fit_gamma_gamma
from pipeline.model.likelihood import Floats
from pipeline.profile.kinds.pairs import Pairs
from pipeline.profile.kinds.purchases import purchases_of
from pipeline.profile.rfm import Summary, summary_of, until
from pipeline.score.bgnbd import expected_purchases
from pipeline.score.gamma_gamma import expected_value
from pipeline.score.prediction import Accuracy, Holdout

MODEL: Final = "model"


class _Customer(NamedTuple):
    summary: Summary
    """As of the last day before the hold-out."""
    before: int
    """Purchase days in the period of equal length right before the hold-out."""
    actual: int
    """Purchase days in the hold-out."""
    spent_minor: int
    """Money in the hold-out."""


def evaluate(histories: Sequence[Pairs], as_of_day: int, days: int, tick: Tick) -> Holdout:
    """Evaluates the models on the last ``days`` up to ``as_of_day``, over customers with purchases before them.

    Raises:
        FitError: Too few customers had repeat purchases before the hold-out.
    """
    split_day = as_of_day - days
    customers = [customer for customer in (_split(history, split_day, as_of_day) for history in histories) if customer]
    if not customers:
        msg = f"no customer bought before the hold-out of {days} days: shorten --holdout or export a longer history"
        raise FitError(msg)
    summaries = [customer.summary for customer in customers]
    purchases, spend = fit_bgnbd(summaries, tick), fit_gamma_gamma(summaries, tick)
    expected = [expected_purchases(purchases, s.frequency, s.recency_days, s.age_days, days) for s in summaries]
    value = [expected_value(spend, s.frequency, s.repeat_minor) for s in summaries]
    rate = sum(s.frequency for s in summaries) / max(1, sum(s.age_days for s in summaries))
    predictors = {
        MODEL: expected,
        "own_rate": [days * s.frequency / s.age_days if s.age_days else 0.0 for s in summaries],
        "last_period": [float(customer.before) for customer in customers],
        "everyone_equal": [days * rate] * len(customers),
    }
    actual = np.array([customer.actual for customer in customers], dtype=np.float64)
    return Holdout(
        days=days,
        customers=len(customers),
        purchases=sum(customer.actual for customer in customers),
        spent_minor=sum(customer.spent_minor for customer in customers),
        spent_predicted_minor=round(sum(often * much for often, much in zip(expected, value, strict=True))),
        predictors={
            name: _accuracy(np.array(predictions, dtype=np.float64), actual) for name, predictions in predictors.items()
        },
    )


def _split(history: Pairs, split_day: int, as_of_day: int) -> _Customer | None:
    known = purchases_of(until(history, split_day))
    if known is None:
        return None
    length = as_of_day - split_day
    days = [day for day, (_, orders) in history if orders]
    return _Customer(
        summary_of(known, split_day),
        before=sum(split_day - length < day <= split_day for day in days),
        actual=sum(split_day < day <= as_of_day for day in days),
        spent_minor=sum(amount for day, (amount, _) in history if split_day < day <= as_of_day),
    )


def _accuracy(predicted: Floats, actual: Floats) -> Accuracy:
    error = predicted - actual
    return Accuracy(
        mean_absolute_error=float(np.abs(error).mean()),
        root_mean_square_error=sqrt(float((error**2).mean())),
        correlation=correlation(predicted, actual),
        total=float(predicted.sum()),
    )


def correlation(one: Floats, other: Floats) -> float:
    """Returns Pearson's correlation; 0 if either side is constant."""
    spread = float(np.ptp(one)) if len(one) else 0.0
    if spread == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
