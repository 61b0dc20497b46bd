"""Gamma-gamma: the average value of a customer's purchases, shrunk towards the mean of all customers.

Fader, Hardie: The Gamma-Gamma Model of Monetary Value, 2013 (brucehardie.com/notes/025). The values of a customer's
purchases are gamma distributed (shape ``p``) around the customer's mean. These means vary across customers (``q``,
``v``). The model assumes that the value of purchases is independent of their frequency.
"""

from typing import Final

import msgspec

_MAX_PARAMETER: Final = 1e18


class GammaGamma(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters: p and v above 0; q above 1, since the mean over customers is infinite otherwise.

    v is in the unit of money.
    """

    p: float
    q: float
    v: float

    def __post_init__(self) -> None:
        for name, minimum in (("p", 0), ("q", 1), ("v", 0)):
            if not minimum < getattr(self, name) < _MAX_PARAMETER:
                msg = f"gamma-gamma parameter {name} is {getattr(self, name)}: it must be above {minimum}"
                raise ValueError(msg)


def expected_value(model: GammaGamma, x: int, spent: float) -> float:
    """Returns E[M]: the expected value of a future purchase, given ``spent`` in ``x`` repeat purchases (equation 5).

    Without a repeat purchase it is the mean of all customers, p v / (q - 1). A ``spent`` below 0, after refunds, counts
    as 0.
    """
    own = max(spent, 0.0) if x else 0.0
    return model.p * (model.v + own) / (model.p * x + model.q - 1)
