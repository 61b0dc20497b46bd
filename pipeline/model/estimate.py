"""Maximum likelihood estimation of the two models' parameters."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np

from pipeline.model.errors import FitError
from pipeline.model.likelihood import Floats, bgnbd_likelihood, gamma_gamma_likelihood, scipy_parts
from pipeline.profile.rfm import Summary
from pipeline.score.bgnbd import BgNbd
from pipeline.score.gamma_gamma import GammaGamma

MIN_REPEAT_BUYERS: Final = 100
"""With fewer, the four parameters of BG/NBD are little more than noise."""
_BOUND: Final = 9.0
"""Parameters are searched between e^-9 and e^9 times their scale."""
_AT_EDGE: Final = 0.01
"""A parameter within 1 % of a bound counts as on it."""
_STARTS: Final = (0.0, -1.5, 1.5)
Likelihood: TypeAlias = Callable[[Floats, Floats, Floats], tuple[float, Floats]]
Tick: TypeAlias = Callable[[], None]
"""Called at every evaluation of the likelihood."""


def fit_bgnbd(summaries: Sequence[Summary], tick: Tick) -> BgNbd:
    """Fits BG/NBD. Times are in days, as in the summaries.

    Raises:
        FitError: Too few customers have repeat purchases, or no maximum of the likelihood was found.
    """
    _demand_repeat_buyers(sum(summary.frequency > 0 for summary in summaries))
    rows = np.array(
        [(summary.frequency, summary.recency_days, summary.age_days) for summary in summaries], dtype=np.float64
    )
    scale = float(rows[:, 2].mean())
    rows[:, 1:] /= scale
    r, alpha, a, b = _maximise(bgnbd_likelihood, rows, 4, tick)
    return BgNbd(r=r, alpha=alpha * scale, a=a, b=b)


def fit_gamma_gamma(summaries: Sequence[Summary], tick: Tick) -> GammaGamma:
    """Fits gamma-gamma on the customers with spend in repeat purchases. Money is in minor units.

    Raises:
        FitError: Too few such customers, or no maximum of the likelihood was found.
    """
    spenders = [summary for summary in summaries if summary.repeat_minor > 0 and summary.frequency > 0]
    _demand_repeat_buyers(len(spenders), "with money above 0")
    rows = np.array([(summary.frequency, summary.monetary_minor) for summary in spenders], dtype=np.float64)
    scale = float(rows[:, 1].mean())
    rows[:, 1] /= scale
    p, more, v = _maximise(gamma_gamma_likelihood, rows, 3, tick)
    return GammaGamma(p=p, q=1 + more, v=v * scale)


def stuck_parameters(purchases: BgNbd, spend: GammaGamma, summaries: Sequence[Summary]) -> list[str]:
    """Names of the parameters that sit on an edge of the range in which they are sought.

    Such a parameter is not estimated: the likelihood would take it further, as it does where all customers are alike.
    """
    spent = [summary.monetary_minor for summary in summaries if summary.repeat_minor > 0 and summary.frequency > 0]
    days, minor = float(np.mean([summary.age_days for summary in summaries])), float(np.mean(spent))
    scaled = {
        "r": purchases.r, "alpha": purchases.alpha / days, "a": purchases.a, "b": purchases.b,
        "p": spend.p, "q": spend.q - 1, "v": spend.v / minor,
    }  # fmt: skip
    return [name for name, value in scaled.items() if abs(np.log(value)) > _BOUND - _AT_EDGE]


def _demand_repeat_buyers(count: int, what: str = "") -> None:
    if count < MIN_REPEAT_BUYERS:
        described = f"repeat buyers {what}".strip()
        msg = (
            f"{count} {described}: at least {MIN_REPEAT_BUYERS} are needed. "
            "Export a longer history, choose another --currency, or shorten --holdout"
        )
        raise FitError(msg)


def _maximise(likelihood: Likelihood, rows: Floats, size: int, tick: Tick) -> list[float]:
    """Returns the parameters with the highest likelihood over several starting points.

    A single start may end in a flat region away from the maximum.
    """
    _, optimize = scipy_parts()
    distinct, counts = np.unique(rows, axis=0, return_counts=True)
    weights = counts.astype(np.float64)

    def loss(theta: Floats) -> tuple[float, Floats]:
        tick()
        value, slope = likelihood(theta, distinct, weights)
        return -value / len(rows), -slope / len(rows)

    tries = [
        optimize.minimize(
            loss, np.full(size, start), jac=True, method="L-BFGS-B", bounds=[(-_BOUND, _BOUND)] * size,
            options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 2_000},
        )
        for start in _STARTS
    ]  # fmt: skip
    best = min(tries, key=lambda attempt: attempt.fun if np.isfinite(attempt.fun) else np.inf)
    if not np.isfinite(best.fun) or float(np.abs(_inward(best.x, best.jac)).max()) > 1e-3:
        msg = f"no maximum of the likelihood was found ({best.message}): does the history hold customers' purchases?"
        raise FitError(msg)
    return [float(value) for value in np.exp(best.x)]


def _inward(theta: Floats, slope: Floats) -> Floats:
    """Returns the gradient without components that point out of the bounds: a maximum may lie on a bound."""
    stuck = ((theta <= -_BOUND) & (slope > 0)) | ((theta >= _BOUND) & (slope < 0))
    return np.where(stuck, 0.0, slope)
