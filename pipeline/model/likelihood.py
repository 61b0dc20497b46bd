"""Log-likelihoods of the two models and their gradients. Customers with equal histories are evaluated once.

Parameters are logarithms, so that every number is valid: of ``r, alpha, a, b`` for BG/NBD and of ``p, q - 1, v`` for
gamma-gamma, whose customers have no mean spend if ``q`` is 1 or less.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.model.errors import MissingScipyError

Floats: TypeAlias = NDArray[np.float64]


def scipy_parts() -> tuple[Any, Any]:
    """Returns ``scipy.special`` and ``scipy.optimize``, which only fitting needs.

    Raises:
        MissingScipyError: SciPy is not installed.
    """
    try:
        from scipy import optimize, special  # type: ignore[import-untyped]  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        msg = "fitting needs SciPy, which is not installed: pip install 'stitchline[model]'"
        raise MissingScipyError(msg) from error
    return special, optimize


def bgnbd_likelihood(theta: Floats, rows: Floats, weights: Floats) -> tuple[float, Floats]:
    """Returns log-likelihood and gradient at ``theta`` of ``rows`` of (x, t_x, T), each counted ``weights`` times.

    Fader, Hardie, Lee (2005), equation 6, in logarithms throughout so that many purchases do not overflow (Fader,
    Hardie: Overcoming the BG/NBD Model's #NUM! Error Problem, 2013, brucehardie.com/notes/027).
    """
    special, _ = scipy_parts()
    gammaln, psi = special.gammaln, special.psi
    r, alpha, a, b = np.exp(theta)
    x, recency, age = rows.T
    before = b + np.maximum(x, 1) - 1
    stayed = -(r + x) * np.log(alpha + age)
    left = np.where(x > 0, np.log(a) - np.log(before) - (r + x) * np.log(alpha + recency), -np.inf)
    either = np.logaddexp(stayed, left)
    gone = np.exp(left - either)
    value = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + either
    value += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    rate = (1 - gone) * np.log(alpha + age) + gone * np.log(alpha + recency)
    slopes = np.array([
        psi(r + x) - psi(r) + np.log(alpha) - rate,
        r / alpha - (r + x) * ((1 - gone) / (alpha + age) + gone / (alpha + recency)),
        psi(a + b) - psi(a + b + x) + gone / a,
        psi(a + b) - psi(a + b + x) + psi(b + x) - psi(b) - gone / before,
    ])  # fmt: skip
    return float(weights @ value), (slopes @ weights) * np.exp(theta)


def gamma_gamma_likelihood(theta: Floats, rows: Floats, weights: Floats) -> tuple[float, Floats]:
    """Returns log-likelihood and gradient at ``theta`` of ``rows`` of (x, mean spend), each counted ``weights`` times.

    Fader, Hardie (2013), equation 1a.
    """
    special, _ = scipy_parts()
    gammaln, psi = special.gammaln, special.psi
    p, more, v = np.exp(theta)
    q = 1 + more
    x, mean = rows.T
    shape, whole = p * x, np.log(x * mean + v)
    value = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(v)
    value += (shape - 1) * np.log(mean) + shape * np.log(x) - (shape + q) * whole
    slopes = np.array([
        x * (psi(shape + q) - psi(shape) + np.log(mean) + np.log(x) - whole),
        psi(shape + q) - psi(q) + np.log(v) - whole,
        q / v - (shape + q) / (x * mean + v),
    ])  # fmt: skip
    return float(weights @ value), (slopes @ weights) * np.exp(theta)
