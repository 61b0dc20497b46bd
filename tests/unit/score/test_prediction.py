"""The content of model files: decoded as encoded, refused if edited."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pipeline.score.prediction import ModelError, decode_model, encode_model, with_version
from tests.unit.model.test_file import MODEL


def edited(change: Callable[[dict[str, Any]], Any]) -> bytes:
    document: dict[str, Any] = msgspec.json.decode(encode_model(MODEL))
    change(document)
    return msgspec.json.encode(document)


def test_a_model_is_decoded_as_it_was_encoded() -> None:
    assert decode_model(encode_model(MODEL)) == MODEL


def test_the_version_depends_on_the_content_and_not_on_the_time_of_fitting() -> None:
    assert with_version(msgspec.structs.replace(MODEL, fitted_at_ms=5)).version == MODEL.version
    assert with_version(msgspec.structs.replace(MODEL, horizon_days=31)).version != MODEL.version


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[]", "not a model of `stitchline model fit`"),
        (edited(lambda document: document.pop("currency")), "missing required field `currency`"),
        (edited(lambda document: document.update(format=2)), "format 2, this version reads 1: fit it again"),
        (edited(lambda document: document.update(horizon_days=0)), "horizon_days is 0"),
        (edited(lambda document: document.update(horizon_days=4000)), "horizon_days is 4000"),
        (edited(lambda document: document["purchases"].update(r=0.5)), "changed after it was fitted"),
    ],
)
def test_content_of_another_form_or_version_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        decode_model(data)
    assert message in str(caught.value)
