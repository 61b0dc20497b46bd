"""Predictions for a profile from the deployed model, cached by purchases and day."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from pipeline.event.duration import DAY_MS
from pipeline.profile.kinds.purchases import Purchases
from pipeline.profile.ledger import Ledger
from pipeline.profile.rfm import purchases_in
from pipeline.score.prediction import Prediction, PredictionModel, predict

_CACHE_SIZE: Final = 1 << 16
"""Cached predictions. One costs some 15 µs and is valid for a day, in which a profile is published many times."""


class Forecaster:
    """The :class:`~pipeline.profile.ports.Forecast` of a model. Without a model it returns no predictions."""

    def __init__(self, model: PredictionModel | None) -> None:
        self.model = model
        self._predict = lru_cache(_CACHE_SIZE)(self._predicted)

    def read(self, ledgers: Sequence[Ledger], as_of_ms: int) -> Prediction:
        """Returns :func:`~pipeline.score.prediction.predict`; empty for a profile without orders in the currency."""
        model = self.model
        if model is None:
            return {}
        purchases = purchases_in(ledgers, model.aggregate, model.currency)
        return self._predict(purchases, as_of_ms // DAY_MS) if purchases is not None else {}

    def numbers(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, float]:
        """Returns the same as floats, for the published records; the RFM digits are read as one number."""
        return {name: float(value) for name, value in self.read(ledgers, as_of_ms).items()} if self.model else {}

    def _predicted(self, purchases: Purchases, day: int) -> Prediction:
        model = self.model
        return predict(model, purchases, day * DAY_MS) if model is not None else {}


NO_FORECAST: Final = Forecaster(None)
