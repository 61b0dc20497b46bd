"""Predictions: what a customer is likely to do in the next days, by a model that was fitted offline.

The model is a file; nothing is learnt here. :func:`predict` is a pure function of the file, of a customer's purchases
in the model's currency, and of the day. Results are whole multiples of 1/1024 and whole minor units, so that the last
digits in which two machines' logarithms may differ are not in them.
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
"""The names of what :func:`predict` tells."""


class ModelError(ValueError):
    """Operator action: fit the model again with this version of Stitchline, or restore the file as it was written."""


class Accuracy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How predicted purchases compare with those that came, over the customers of the hold-out."""

    mean_absolute_error: float
    root_mean_square_error: float
    correlation: float
    """Pearson's; 0 where either side is the same for everybody."""
    total: float
    """Purchases predicted for all customers together."""


class Holdout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model fitted on what was known before the last days of the history, judged by those days."""

    days: int
    customers: int
    purchases: int
    """Purchase days that came, of all customers together."""
    spent_minor: int
    spent_predicted_minor: int
    predictors: dict[str, Accuracy]
    """The model, beside what needs no model."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the model was fitted on."""

    customers: int
    repeat_buyers: int
    first_day: int
    """The first purchase of all, in days since the epoch, UTC."""
    as_of_day: int
    """The last day of the history."""
    value_correlation: float
    """Of frequency and monetary value over repeat buyers; the model takes it to be 0."""
    notes: tuple[str, ...] = ()
    """What to know before trusting the model."""


class PredictionModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model file. It knows no tenant: which tenant it serves is decided by whoever loads it."""

    format: int = MODEL_FORMAT
    version: str = ""
    """Hash of everything here but ``fitted_at_ms``: equal versions predict equally, and say the same of themselves."""
    aggregate: str
    """The aggregate of kind purchases that the model was fitted on and is to be fed from."""
    currency: str
    fitted_at_ms: int
    horizon_days: int
    """How far ahead ``purchase_probability``, ``expected_purchases`` and ``expected_value_minor`` look."""
    purchases: BgNbd
    """Times are in days."""
    spend: GammaGamma
    """Money is in minor units of the currency."""
    rfm: RfmEdges
    calibration: Calibration
    holdout: Holdout | None = None


def predict(model: PredictionModel, purchases: Purchases, as_of_ms: int) -> Prediction:
    """What to expect of a customer with at least one order in the model's currency.

    * ``churn_risk``: 1 - P(alive). Who has bought once only has none by definition of the model, however long ago.
    * ``purchase_probability``: of at least one purchase within the horizon; this falls for one-time buyers too.
    * ``expected_purchases``: purchase days within the horizon.
    * ``expected_value_minor``: money to expect within the horizon, in minor units.
    * ``rfm``: recency, frequency and monetary value as digits from 1 to 5, such as ``545``.

    The same from one midnight (UTC) to the next, see :func:`prediction_due_ms`.
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
    """The next midnight, UTC: no prediction changes before it unless the customer buys."""
    return (as_of_ms // DAY_MS + 1) * DAY_MS


def with_version(model: PredictionModel) -> PredictionModel:
    """The model under its version."""
    return msgspec.structs.replace(model, version=_version(model))


def encode_model(model: PredictionModel) -> bytes:
    """The file of a sealed model: JSON for people to read, and no less exact for it."""
    return msgspec.json.format(msgspec.json.encode(model), indent=2) + b"\n"


def decode_model(data: bytes) -> PredictionModel:
    """The model of a file.

    Raises:
        ModelError: not a model, one of another format, or one that was changed after it was fitted.
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
