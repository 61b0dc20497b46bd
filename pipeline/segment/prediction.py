"""Operands for the predictions of the deployed model."""

from typing import Final

from pipeline.condition.advice import did_you_mean
from pipeline.condition.due import FOREVER
from pipeline.condition.errors import MeaningError
from pipeline.condition.operand import Check, Kind, converted
from pipeline.condition.syntax import Value
from pipeline.score.forecast import Forecaster
from pipeline.score.prediction import PREDICTED, prediction_due_ms
from pipeline.segment.facts import Facts
from pipeline.segment.operand import ProfileOperand, no_parts

_ROOT: Final = "prediction"


def prediction(path: tuple[str, ...], forecast: Forecaster, key: str | None) -> ProfileOperand:
    """Returns the operand of ``prediction.churn_risk``; ``key`` is the booking key of the model's input aggregate.

    Raises:
        MeaningError: there is no prediction of that name, or no model.
    """
    name = ".".join(path[1:2])
    if name not in PREDICTED:
        message = f"nothing predicts {name}" if name else f"{_ROOT} needs the name of what is predicted"
        raise MeaningError(message, did_you_mean(name, PREDICTED))
    no_parts(f"{_ROOT}.{name}", path[2:], "a number")
    if key is None:
        message = "there is no model to predict by"
        raise MeaningError(message, "put model.json, as written by stitchline model fit, beside the rules")
    return PredictionOperand(name, forecast, key)


class PredictionOperand:
    """A prediction as a number, as it is published: money in minor units, the RFM digits read as one number."""

    kind: Kind = "number"

    def __init__(self, name: str, forecast: Forecaster, key: str) -> None:
        self.keys = frozenset({key})
        self._name, self._forecast = name, forecast

    def read(self, facts: Facts) -> float | None:
        """Returns the prediction; None for a profile without orders in the model's currency."""
        return self._predicted(facts).get(self._name)

    def convert(self, value: Value) -> float:
        """Returns the literal's number."""
        return float(converted("number", value))

    def until(self, facts: Facts, _check: Check) -> int:
        """Returns the next midnight, UTC; FOREVER for a profile without predictions."""
        return prediction_due_ms(facts.as_of_ms) if self._predicted(facts) else FOREVER

    def _predicted(self, facts: Facts) -> dict[str, float]:
        numbers: dict[str, float] = facts.once(
            _ROOT, lambda facts: self._forecast.numbers(facts.ledgers, facts.as_of_ms)
        )
        return numbers
