"""Fits the models on the histories of one currency.

1. Evaluate on a hold-out, if requested: fit without the last days, compare the predictions with them.
2. Fit BG/NBD and gamma-gamma on the whole history.
3. Compute the quintile edges of recency, frequency and monetary value.
4. Seal: set the version to a hash of the model's content.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from pipeline.model.errors import FitError
from pipeline.model.estimate import Tick, fit_bgnbd, fit_gamma_gamma, stuck_parameters
from pipeline.model.export import Export
from pipeline.model.holdout import MODEL, correlation, evaluate
from pipeline.profile.kinds.pairs import Pairs
from pipeline.profile.kinds.purchases import Purchases, purchases_of
from pipeline.profile.rfm import RfmEdges, Summary, edges_of, summary_of
from pipeline.score.bgnbd import BgNbd
from pipeline.score.gamma_gamma import GammaGamma
from pipeline.score.prediction import Calibration, Holdout, PredictionModel, with_version

DEPENDENT: Final = 0.3
"""Above this correlation of frequency and value, gamma-gamma's assumption that they are independent fails."""
UNEVEN: Final = 1.05
"""Below this q a few enormous customers dominate the mean over all customers, p v / (q - 1)."""


class Ask(NamedTuple):
    """The parameters of a fit."""

    aggregate: str
    currency: str
    horizon_days: int
    holdout_days: int
    """0: no hold-out."""


def currency_of(export: Export) -> str:
    """Returns the currency with the most customers, of equals the first by name; "" if there is none."""
    return min(export.histories, key=lambda currency: (-len(export.histories[currency]), currency), default="")


def fit_model(export: Export, ask: Ask, fitted_at_ms: int, tick: Tick) -> PredictionModel:
    """Returns the model fitted on the export's histories. Equal exports give models of the same version.

    Raises:
        FitError: The history does not allow a fit; the message states what is missing.
        MissingScipyError: SciPy is not installed.
    """
    histories = export.histories.get(ask.currency, [])
    if not histories:
        currencies = ", ".join(export.histories) or "none"
        msg = f"no customer has bought in {ask.currency or 'any currency'}; the export has: {currencies}"
        raise FitError(msg)
    # 1. Evaluate on a hold-out.
    holdout = evaluate(histories, export.as_of_day, ask.holdout_days, tick) if ask.holdout_days else None
    # 2. Fit on the whole history.
    customers = _customers_with_purchases(histories)
    summaries = [summary_of(purchases, export.as_of_day) for purchases in customers]
    purchases_model, spend = fit_bgnbd(summaries, tick), fit_gamma_gamma(summaries, tick)
    # 3. The quintile edges are computed below; 4. with_version seals the model.
    return with_version(
        PredictionModel(
            aggregate=ask.aggregate,
            currency=ask.currency,
            fitted_at_ms=fitted_at_ms,
            horizon_days=ask.horizon_days,
            purchases=purchases_model,
            spend=spend,
            rfm=RfmEdges(
                days_since=edges_of([summary.days_since for summary in summaries]),
                orders=edges_of([summary.orders for summary in summaries]),
                total_minor=edges_of([summary.total_minor for summary in summaries]),
            ),
            calibration=_calibration(customers, summaries, export.as_of_day, (purchases_model, spend), holdout),
            holdout=holdout,
        )
    )


def _customers_with_purchases(histories: Sequence[Pairs]) -> list[Purchases]:
    return [purchases for purchases in map(purchases_of, histories) if purchases is not None]


def _calibration(
    customers: Sequence[Purchases],
    summaries: Sequence[Summary],
    as_of_day: int,
    fitted: tuple[BgNbd, GammaGamma],
    holdout: Holdout | None,
) -> Calibration:
    repeat = [summary for summary in summaries if summary.frequency]
    dependence = correlation(
        np.array([summary.frequency for summary in repeat], dtype=np.float64),
        np.array([summary.monetary_minor for summary in repeat], dtype=np.float64),
    )
    return Calibration(
        customers=len(customers),
        repeat_buyers=len(repeat),
        first_day=min(purchases.first_day for purchases in customers),
        as_of_day=as_of_day,
        value_correlation=dependence,
        notes=(*_notes(dependence, fitted[1], holdout), *_edge_notes(*fitted, summaries)),
    )


def _edge_notes(purchases: BgNbd, spend: GammaGamma, summaries: Sequence[Summary]) -> list[str]:
    stuck = stuck_parameters(purchases, spend, summaries)
    if not stuck:
        return []
    where = f"{', '.join(stuck)} at the edge of the range that is searched"
    return [f"{where}: this history does not determine the model, do not rely on its predictions"]


def _notes(dependence: float, spend: GammaGamma, holdout: Holdout | None) -> list[str]:
    notes = []
    if spend.q < UNEVEN:
        notes.append(
            f"spend is so uneven (q {spend.q:.3f}) that it hardly has a mean: do not rely on expected_value_minor"
        )
    if abs(dependence) > DEPENDENT:
        notes.append(
            f"spend per purchase depends on purchase frequency (correlation {dependence:.2f}): "
            "expected_value_minor is biased, because the model assumes that they are independent"
        )
    if holdout is not None:
        predictors = holdout.predictors
        minimum = min(predictors, key=lambda name: predictors[name].root_mean_square_error)
        if minimum != MODEL:
            notes.append(f"on the hold-out {minimum} was closer than the model (root mean square error)")
    return notes
