"""BG/NBD: the chance that a customer is still active, and their future purchases, from frequency, recency and age.

Fader, Hardie, Lee: "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model, Marketing Science
24(2), 2005, 275-284. While alive, a customer buys at a rate drawn from a gamma distribution (``r``, ``alpha``). After
each repeat purchase they leave with a probability drawn from a beta distribution (``a``, ``b``). By that definition a
one-time buyer is always alive, however long ago the purchase was; :func:`chance_of_purchase` is the better measure for
them.

Arguments of every function: ``x`` is the number of repeat purchases, ``recency`` the time from the first to the last
purchase, and ``age`` the time from the first purchase to now, both in the time unit of ``alpha``; ``recency`` must not
exceed ``age``. No argument makes a function overflow.
"""

from math import exp, expm1, log, log1p, sinh, sqrt
from typing import Final

import msgspec

MIN: Final = 1e-4
MAX: Final = 1e9
_MAX_MEAN: Final = 300.0
_MAX_RATIO: Final = 20.0
"""Up to both limits the series has at most hundreds of terms, and its first term does not underflow."""
_PRECISION: Final = 1e-12
"""Relative error at which the series stops."""


class BgNbd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters, each between 1e-4 and 1e9."""

    r: float
    alpha: float
    a: float
    b: float

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not MIN <= getattr(self, name) <= MAX:
                msg = f"BG/NBD parameter {name} is {getattr(self, name)}: it lies between {MIN:g} and {MAX:g}"
                raise ValueError(msg)


def chance_alive(model: BgNbd, x: int, recency: float, age: float) -> float:
    """Returns P(alive): the probability that the customer has not left for good.

    Fader, Hardie, Lee: Computing P(alive) Using the BG/NBD Model, 2008 (brucehardie.com/notes/021).
    """
    if x == 0:
        return 1.0
    silence = log1p((age - recency) / (model.alpha + recency))
    gone = log(model.a / (model.b + x - 1)) + (model.r + x) * silence  # log odds of having left
    # Of the two equal forms of the logistic function, the sign selects the one whose exp cannot overflow.
    return exp(-gone) / (1 + exp(-gone)) if gone > 0 else 1 / (1 + exp(gone))


def chance_of_purchase(model: BgNbd, x: int, recency: float, age: float, ahead: float) -> float:
    """Returns the probability of at least one purchase within ``ahead`` from now.

    A customer can leave only after a purchase. So this is P(alive) times the probability that a gamma distributed rate
    yields a purchase in that time.
    """
    return -chance_alive(model, x, recency, age) * expm1(-(model.r + x) * log1p(ahead / (model.alpha + age)))


def expected_purchases(model: BgNbd, x: int, recency: float, age: float, ahead: float) -> float:
    """Returns E[Y(t)]: the expected number of purchases within ``ahead`` from now (equation 10, rearranged).

    The paper uses Gauss's 2F1(r + x, b + x; a + b + x - 1; z) with z = t / (alpha + T + t), and divides by a - 1. That
    is 0/0 at a = 1, and a difference of nearly equal numbers for a short time ahead. Expanding the expectation over
    the leaving probability p gives the same value as a sum of positive terms. With q = 1 - p,

        (1 - (1 + p t/(alpha + T))^-(r+x)) / p  =  sum over k of NB(k; r + x, z) * (1 + q + ... + q^(k-1)),

    where k is the number of purchases of a customer that cannot leave, and NB its negative binomial probability. So

        E[Y | alive]  =  sum over j >= 0 of P(k > j) * E[q^j],   E[q^j] = (b + x)_j / (a + b + x)_j.
    """
    if ahead <= 0:
        return 0.0
    shape, ratio = model.r + x, ahead / (model.alpha + age)
    if shape * ratio <= _MAX_MEAN and ratio <= _MAX_RATIO:
        alive = _by_series(shape, ratio, model.a, model.b + x)
    else:
        alive = _by_quadrature(shape, ratio, model.a, model.b + x)
    return chance_alive(model, x, recency, age) * alive


def _by_series(shape: float, ratio: float, a: float, b: float) -> float:
    """Returns the sum above, without the terms that are below the precision.

    ``step`` is the ratio of one probability to the previous one; it tends to z < 1 from either side. As soon as it
    stays below 1, the terms after the probability ``mass`` of k add less than mass * step / (1 - step)^2.
    """
    z = ratio / (1 + ratio)
    first = -shape * log1p(ratio)
    mass, beyond, stays, total, k = exp(first), -expm1(first), 1.0, 0.0, 0
    while True:
        total += stays * beyond
        step = z * (shape + k) / (k + 1)
        bound = max(step, z)
        if bound < 1 and mass * step <= _PRECISION * total * (1 - bound) ** 2:
            return total
        stays *= (b + k) / (a + b + k)
        k += 1
        mass *= step
        beyond = max(0.0, beyond - mass)


def _by_quadrature(shape: float, ratio: float, a: float, b: float) -> float:
    """Returns the same expectation by quadrature over p ~ Beta(a, b), for many purchases or a long time ahead.

    It applies the trapezoidal rule to the logit of p, stretched by sinh, so singularities at p = 0 and p = 1 are
    harmless. The weights are divided by their sum, so errors in their scale cancel out.
    """
    mode, width = log(a / b), sqrt((a + b) / (a * b))
    peak = _log_beta(mode, a, b)
    total = weights = 0.0
    for step in range(-576, 577):
        at = step / 64
        logit = mode + width * sinh(at)
        weight = exp(_log_beta(logit, a, b) - peak) * (exp(at) + exp(-at))
        if weight > 0:
            weights += weight
            total += weight * _gain(logit, shape, ratio)
    return total / weights


def _log_beta(logit: float, a: float, b: float) -> float:
    """Returns log(p^a (1 - p)^b) for the logit of p."""
    return -a * _softplus(-logit) - b * _softplus(logit)


def _softplus(number: float) -> float:
    return number + log1p(exp(-number)) if number > 0 else log1p(exp(number))


def _gain(logit: float, shape: float, ratio: float) -> float:
    """Returns (1 - (1 + p ratio)^-shape) / p; its limit for p = 0 is shape * ratio."""
    p = exp(-_softplus(-logit))
    if p * ratio * (shape + 1) < 1e-12:
        return shape * ratio
    return -expm1(-shape * log1p(p * ratio)) / p
