"""Gamma-gamma: what a customer's purchases are worth on average, their own mean drawn towards everybody's.

Fader, Hardie: The Gamma-Gamma Model of Monetary Value, 2013 (brucehardie.com/notes/025). A customer's purchases are
gamma distributed (shape ``p``) about a mean that is itself spread over customers (``q``, ``v``). The model takes how
much is spent to be independent of how often.
"""

from typing import Final

import msgspec

_MAX_PARAMETER: Final = 1e18


class GammaGamma(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters: p and v above 0, q above 1, without which customers have no mean. v is in the unit of money."""

    p: float
    q: float
    v: float

    def __post_init__(self) -> None:
        for name, minimum in (("p", 0), ("q", 1), ("v", 0)):
            if not minimum < getattr(self, name) < _MAX_PARAMETER:
                msg = f"gamma-gamma parameter {name} is {getattr(self, name)}: it lies above {minimum}"
                raise ValueError(msg)


def expected_value(model: GammaGamma, x: int, spent: float) -> float:
    """E[M]: the mean of a customer's purchases to come, from ``spent`` in ``x`` repeat purchases (equation 5).

    Without a repeat purchase it is the mean of all customers, p v / (q - 1), whatever was spent. What refunds took
    below 0 counts as 0.
    """
    own = max(spent, 0.0) if x else 0.0
    return model.p * (model.v + own) / (model.p * x + model.q - 1)
