"""BG/NBD: how often a customer will buy again, and whether they still do, from frequency, recency and age alone.

Fader, Hardie, Lee: "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model, Marketing Science
24(2), 2005, 275-284. While alive, a customer buys at a rate drawn from a gamma distribution (``r``, ``alpha``); after
each purchase they leave with a probability drawn from a beta distribution (``a``, ``b``). Who has bought once is alive
by that definition, however long ago: look at :func:`chance_of_purchase` for them.

Every function takes ``x`` repeat purchases, the last of them ``recency`` after the first purchase, seen ``age`` after
it, in the unit of time of ``alpha``; ``recency`` is never above ``age``. None overflows, whatever the numbers.
"""

from math import exp, expm1, log, log1p, sinh, sqrt
from typing import Final

import msgspec

MIN: Final = 1e-4
MAX: Final = 1e9
_MAX_MEAN: Final = 300.0
_MAX_RATIO: Final = 20.0
"""Below both the series has hundreds of terms at most, and its first one does not underflow."""
_PRECISION: Final = 1e-12


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
    """P(alive): whether the customer has not left for good.

    Fader, Hardie, Lee: Computing P(alive) Using the BG/NBD Model, 2008 (brucehardie.com/notes/021).
    """
    if x == 0:
        return 1.0
    silence = log1p((age - recency) / (model.alpha + recency))
    gone = log(model.a / (model.b + x - 1)) + (model.r + x) * silence  # log odds; the sign decides what cannot overflow
    return exp(-gone) / (1 + exp(-gone)) if gone > 0 else 1 / (1 + exp(gone))


def chance_of_purchase(model: BgNbd, x: int, recency: float, age: float, ahead: float) -> float:
    """The chance of at least one purchase within ``ahead`` from now.

    Whoever is alive stays so until they buy, so this is P(alive) times the chance that a gamma distributed rate brings
    a purchase in that time.
    """
    return -chance_alive(model, x, recency, age) * expm1(-(model.r + x) * log1p(ahead / (model.alpha + age)))


def expected_purchases(model: BgNbd, x: int, recency: float, age: float, ahead: float) -> float:
    """E[Y(t)]: purchases to expect within ``ahead`` from now (equation 10 of the paper, in other terms).

    The paper writes it with Gauss's 2F1(r + x, b + x; a + b + x - 1; z), z = t / (alpha + T + t), and divides by a - 1:
    at a = 1 that is 0/0, and for a short time ahead it is a difference of nearly equal numbers. Expanding the
    expectation over the leaving probability p instead gives the same value as a sum of positive terms. With q = 1 - p,

        (1 - (1 + p t/(alpha + T))^-(r+x)) / p  =  sum over k of NB(k; r + x, z) * (1 + q + ... + q^(k-1)),

    k being how often a customer who could not leave would buy, NB its negative binomial probability. So

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
    """The sum above, until what is left of it cannot show.

    What is left after the probability ``mass`` of k is below mass * step / (1 - step)^2, once the ratio ``step`` of one
    probability to the one before, which falls or rises towards z < 1, is below 1 for good.
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
    """The same expectation over p ~ Beta(a, b), for very many purchases or a very long time ahead.

    Trapezoids in the logit of p, stretched by sinh, which no singularity at p = 0 or p = 1 disturbs. The weights are
    normalised by their own sum, so errors in them cancel.
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
    """log(p^a (1 - p)^b), in the logit of p."""
    return -a * _softplus(-logit) - b * _softplus(logit)


def _softplus(number: float) -> float:
    return number + log1p(exp(-number)) if number > 0 else log1p(exp(number))


def _gain(logit: float, shape: float, ratio: float) -> float:
    """(1 - (1 + p ratio)^-shape) / p, which tends to shape * ratio as p vanishes."""
    p = exp(-_softplus(-logit))
    if p * ratio * (shape + 1) < 1e-12:
        return shape * ratio
    return -expm1(-shape * log1p(p * ratio)) / p
