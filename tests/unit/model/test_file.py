"""A model file is taken as it was fitted, or refused with what to do."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.event.duration import DAY_MS
from pipeline.profile.kinds.purchases import Purchases
from pipeline.profile.rfm import RfmEdges
from pipeline.rules.model_file import MAX_FILE_BYTES, load_model, save_model
from pipeline.score.bgnbd import BgNbd
from pipeline.score.gamma_gamma import GammaGamma
from pipeline.score.prediction import Calibration, ModelError, PredictionModel, encode_model, predict, with_version
from tests.support.cdnow_sample import PUBLISHED_GAMMA_GAMMA

MODEL = with_version(
    PredictionModel(
        aggregate="purchases",
        currency="USD",
        fitted_at_ms=1_700_000_000_000,
        horizon_days=30,
        purchases=BgNbd(r=0.243, alpha=4.414 * 7, a=0.793, b=2.426),
        spend=GammaGamma(p=PUBLISHED_GAMMA_GAMMA["p"], q=PUBLISHED_GAMMA_GAMMA["q"], v=1_544.0),
        rfm=RfmEdges(days_since=(20, 60, 120, 240), orders=(1, 1, 2, 4), total_minor=(1_500, 3_000, 6_000, 13_000)),
        calibration=Calibration(
            customers=2_357, repeat_buyers=946, first_day=9_862, as_of_day=10_134, value_correlation=0.11
        ),
    )
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.json"
    save_model(path, MODEL)
    return path


def test_a_model_is_loaded_as_it_was_saved_under_a_version_of_its_content(file: Path) -> None:
    assert load_model(file) == MODEL
    assert re.fullmatch("[0-9a-f]{16}", MODEL.version)
    assert file.read_bytes().endswith(b"}\n")


def test_a_customer_of_the_sample_is_predicted_as_published() -> None:
    """Customer 1 of the sample: x = 2, 213 and 272 days, mean 22.35; the note says 1.226 in 39 weeks and 24.66 each."""
    customer = Purchases(first_day=9_862, last_day=10_075, days=3, orders=3, total_minor=7_403, repeat_minor=4_470)
    result = predict(with_version(msgspec.structs.replace(MODEL, horizon_days=39 * 7)), customer, 10_134 * DAY_MS)
    assert result["expected_purchases"] == pytest.approx(1.226, abs=0.001)
    assert result["expected_value_minor"] == pytest.approx(1.226 * 2_466, rel=0.001)
    assert result["rfm"] == "444"


def test_a_one_time_buyer_never_churns_by_definition_but_is_less_and_less_expected() -> None:
    once = Purchases(first_day=9_862, last_day=9_862, days=1, orders=1, total_minor=2_000, repeat_minor=0)
    soon, late = (predict(MODEL, once, (9_862 + days) * DAY_MS) for days in (10, 600))
    assert soon["churn_risk"] == late["churn_risk"] == 0
    assert float(late["purchase_probability"]) < float(soon["purchase_probability"]) / 5


def edited(change: Callable[[dict[str, Any]], Any]) -> bytes:
    data: dict[str, Any] = msgspec.json.decode(encode_model(MODEL))
    change(data)
    return msgspec.json.encode(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a model of `stitchline model fit`"),
        (b"[]", "not a model of `stitchline model fit`"),
        (b"{}", "the model is of format None, this version reads 1: fit it again"),
        (edited(lambda data: data.update(format=2)), "the model is of format 2, this version reads 1"),
        (edited(lambda data: data.pop("currency")), "missing required field `currency`"),
        (edited(lambda data: data.update(curency="EUR")), "unknown field `curency`"),
        (edited(lambda data: data["purchases"].update(r=0.5)), "the file was changed after it was fitted"),
        (edited(lambda data: data["purchases"].update(r=-1.0)), "BG/NBD parameter r is -1.0"),
        (edited(lambda data: data["spend"].update(q=0.5)), "gamma-gamma parameter q is 0.5"),
        (edited(lambda data: data["rfm"].update(orders=[4, 3, 2, 1])), "rfm edges of orders fall"),
        (edited(lambda data: data["rfm"].update(orders=[1, 2])), "at `$.rfm.orders`"),
        (edited(lambda data: data.update(horizon_days=0)), "horizon_days is 0: it lies between 1 and 3650"),
        (b" " * (MAX_FILE_BYTES + 1), "is it a model file?"),
    ],
)
def test_what_is_no_model_of_this_version_is_refused_by_name_and_reason(file: Path, data: bytes, says: str) -> None:
    file.write_bytes(data)
    with pytest.raises(ModelError) as refused:
        load_model(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert says in str(refused.value)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.json: cannot be read: No such file"):
        load_model(tmp_path / "none.json")


def test_when_a_model_was_fitted_makes_no_other_version() -> None:
    assert with_version(msgspec.structs.replace(MODEL, fitted_at_ms=5)).version == MODEL.version
    assert with_version(msgspec.structs.replace(MODEL, currency="EUR")).version != MODEL.version
