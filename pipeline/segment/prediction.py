"""Names for predictions: what the model in force expects of somebody."""

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
    """``prediction.churn_risk``; ``key`` is that of the aggregate the model is fed from.

    Raises:
        MeaningError: nothing of that name is predicted, or there is no model.
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
    """A prediction as the number that is published: money in minor units, the digits of RFM read as one number."""

    kind: Kind = "number"

    def __init__(self, name: str, forecast: Forecaster, key: str) -> None:
        self.keys = frozenset({key})
        self._name, self._forecast = name, forecast

    def read(self, facts: Facts) -> float | None:
        """None of who has no order in the model's currency."""
        return self._predicted(facts).get(self._name)

    def convert(self, value: Value) -> float:
        """The number as it is."""
        return float(converted("number", value))

    def until(self, facts: Facts, _check: Check) -> int:
        """The next midnight, UTC, of whom anything is predicted."""
        return prediction_due_ms(facts.as_of_ms) if self._predicted(facts) else FOREVER

    def _predicted(self, facts: Facts) -> dict[str, float]:
        numbers: dict[str, float] = facts.once(
            _ROOT, lambda facts: self._forecast.numbers(facts.ledgers, facts.as_of_ms)
        )
        return numbers
