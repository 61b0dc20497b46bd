"""Predictions of a customer's future purchases, from a model that was fitted offline.

The model is a file, and nothing is learnt here. :func:`predict` is a pure function of the file, the customer's
purchases in the model's currency, and the day. Results are rounded to multiples of 1/1024 and to whole minor units, so
that two machines whose math libraries differ in the last digits return the same.
"""

from hashlib import blake2b
from typing import Any, Final, TypeAlias

import msgspec

from pipeline.event.duration import DAY_MS
from pipeline.profile.kinds.purchases import Purchases
from pipeline.profile.rfm import RfmEdges, rfm_digits, summary_of
from pipeline.score.bgnbd import BgNbd, chance_alive, chance_of_purchase, expected_purchases
from pipeline.score.decay import GRID
from pipeline.score.gamma_gamma import GammaGamma, expected_value

MODEL_FORMAT: Final = 1
MAX_DAYS: Final = 3_650
Prediction: TypeAlias = dict[str, float | int | str]
PREDICTED: Final = ("churn_risk", "purchase_probability", "expected_purchases", "expected_value_minor", "rfm")
"""The keys of the result of :func:`predict`."""


class ModelError(ValueError):
    """The model file cannot be used.

    Operator action: fit the model again with this version of Stitchline, or restore the file as it was written.
    """


class Accuracy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Predicted against actual purchases, over the customers of the hold-out."""

    mean_absolute_error: float
    root_mean_square_error: float
    correlation: float
    """Pearson's coefficient; 0 if either side is the same for all customers."""
    total: float
    """Purchases predicted for all customers together."""


class Holdout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Evaluation of a model that was fitted without the last days of the history, on those days."""

    days: int
    customers: int
    purchases: int
    """Actual purchase days of all customers together."""
    spent_minor: int
    spent_predicted_minor: int
    predictors: dict[str, Accuracy]
    """Accuracy of the model and of simple predictors that need no model."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The data that the model was fitted on."""

    customers: int
    repeat_buyers: int
    first_day: int
    """Day of the earliest purchase, in days since the epoch, UTC."""
    as_of_day: int
    """The last day of the history, in days since the epoch, UTC."""
    value_correlation: float
    """Correlation of frequency and monetary value over repeat buyers. The model assumes 0."""
    notes: tuple[str, ...] = ()
    """Limitations of the model, for the analyst to read before using it."""


class PredictionModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model file. It does not name a tenant; the caller that loads it decides which tenant it serves."""

    format: int = MODEL_FORMAT
    version: str = ""
    """Hash of all fields except ``fitted_at_ms``. Models of equal version return equal predictions."""
    aggregate: str
    """The aggregate of kind purchases that the model was fitted on and reads its input from."""
    currency: str
    fitted_at_ms: int
    horizon_days: int
    """Horizon of ``purchase_probability``, ``expected_purchases`` and ``expected_value_minor``, in days."""
    purchases: BgNbd
    """Parameters of purchase frequency; times are in days."""
    spend: GammaGamma
    """Parameters of purchase value; money is in minor units of the currency."""
    rfm: RfmEdges
    calibration: Calibration
    holdout: Holdout | None = None


def predict(model: PredictionModel, purchases: Purchases, as_of_ms: int) -> Prediction:
    """Returns the predictions for a customer with at least one order in the model's currency.

    * ``churn_risk``: 1 - P(alive). By definition of the model it is 0 for one-time buyers, at any age.
    * ``purchase_probability``: probability of a purchase within the horizon. It falls for one-time buyers too.
    * ``expected_purchases``: expected purchase days within the horizon.
    * ``expected_value_minor``: expected spend within the horizon, in minor units.
    * ``rfm``: recency, frequency and monetary value as digits from 1 to 5, such as ``545``.

    The result is constant from one midnight (UTC) to the next; see :func:`prediction_due_ms`.
    """
    summary = summary_of(purchases, as_of_ms // DAY_MS)
    x, recency, age, spent_minor, _, _ = summary
    params, ahead = model.purchases, model.horizon_days
    expected = expected_purchases(params, x, recency, age, ahead)
    return {
        "churn_risk": _on_grid(1 - chance_alive(params, x, recency, age)),
        "purchase_probability": _on_grid(chance_of_purchase(params, x, recency, age, ahead)),
        "expected_purchases": _on_grid(expected),
        "expected_value_minor": round(expected * expected_value(model.spend, x, spent_minor)),
        "rfm": rfm_digits(summary, model.rfm),
    }


def prediction_due_ms(as_of_ms: int) -> int:
    """Returns the next midnight, UTC, in ms. Before it only a purchase can change a prediction."""
    return (as_of_ms // DAY_MS + 1) * DAY_MS


def with_version(model: PredictionModel) -> PredictionModel:
    """Returns the model with its version set."""
    return msgspec.structs.replace(model, version=_version(model))


def encode_model(model: PredictionModel) -> bytes:
    """Returns the content of the model file: indented JSON. It keeps every float exactly."""
    return msgspec.json.format(msgspec.json.encode(model), indent=2) + b"\n"


def decode_model(data: bytes) -> PredictionModel:
    """Returns the model from the content of a file.

    Raises:
        ModelError: The content is not a model, has another format, or was changed after it was fitted.
    """
    try:
        document: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
        if document.get("format") != MODEL_FORMAT:
            msg = f"the model is of format {document.get('format')}, this version reads {MODEL_FORMAT}: fit it again"
            raise ModelError(msg)
        model = msgspec.convert(document, PredictionModel)
    except msgspec.MsgspecError as error:
        msg = f"not a model of `stitchline model fit`: {error}"
        raise ModelError(msg) from error
    if not 0 < model.horizon_days <= MAX_DAYS:
        msg = f"horizon_days is {model.horizon_days}: it lies between 1 and {MAX_DAYS}"
        raise ModelError(msg)
    if model.version != _version(model):
        msg = f"version {model.version!r} is not that of the content: the file was changed after it was fitted"
        raise ModelError(msg)
    return model


def _version(model: PredictionModel) -> str:
    bare = msgspec.structs.replace(model, version="", fitted_at_ms=0)
    return blake2b(msgspec.json.encode(bare, order="deterministic"), digest_size=8).hexdigest()


def _on_grid(number: float) -> float:
    return round(number * GRID) / GRID
